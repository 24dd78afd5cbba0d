// The page's half of the browser module. It runs in an isolated world: scripts
// of the page neither see nor change it. Go calls bb.NAME(...args).
"use strict";
globalThis.bb = (() => {
  const families = [];

  // ---- text ---------------------------------------------------------------
  // What a person would call the same text: full and half width, spaces,
  // letter case, a trailing colon and the star of a required field do not count.
  const norm = (text) => String(text ?? "").normalize("NFKC").replace(/[\s\u200b\u00a0]+/g, "")
    .replace(/^[*]+|[*]+$/g, "").replace(/[::]+$/, "").toLowerCase();
  const tidy = (text) => String(text ?? "").replace(/\s+/g, " ").trim();
  const shown = (el) => tidy(el.innerText ?? el.textContent);

  // ---- elements -----------------------------------------------------------
  const visible = (el) => {
    if (!el.isConnected || !el.getClientRects().length) return false;
    if (el.closest("[inert],[aria-hidden=true]")) return false;
    return el.checkVisibility({ visibilityProperty: true });
  };

  // all finds in the document and in open shadow roots below it.
  const all = (selector, root = document) => {
    if (!root) return []; // a document without a body
    const found = [...root.querySelectorAll(selector)];
    for (const el of root.querySelectorAll("*")) if (el.shadowRoot) found.push(...all(selector, el.shadowRoot));
    return found;
  };

  const frame = () => new Promise((done) => requestAnimationFrame(done));

  // until waits for a condition, looked at in every frame; undefined at its end.
  const until = async (condition, ms) => {
    const end = performance.now() + ms;
    for (;;) {
      const value = condition();
      if (value) return value;
      if (performance.now() > end) return undefined;
      await frame();
    }
  };

  // fail ends a fill or a press with a coded fault.
  const fail = (code, message, more = {}) => { throw { fault: { code, message, ...more } }; };

  // ---- what a field is called -----------------------------------------------
  const own = (el, without) => {
    const copy = el.cloneNode(true);
    copy.querySelectorAll("input,select,textarea,button,script,style").forEach((x) => x.remove());
    if (without) copy.querySelectorAll(without).forEach((x) => x.remove());
    return tidy(copy.textContent);
  };

  const before = (el) => { // the text that stands just before it, or in the cell before
    for (let at = el, depth = 0; at && depth < 3; at = at.parentElement, depth++) {
      for (let sibling = at.previousSibling; sibling; sibling = sibling.previousSibling) {
        if (sibling.nodeType === 3 && tidy(sibling.data)) return tidy(sibling.data);
        if (sibling.nodeType === 1) {
          if (sibling.matches("input,select,textarea,button") || sibling.querySelector("input,select,textarea")) return "";
          if (tidy(sibling.textContent)) return tidy(sibling.textContent);
        }
      }
      if (at.matches("td,tr,li,form,fieldset,p,section")) return "";
    }
    return "";
  };

  // names lists what a control is called, best first: [text, by].
  const names = (control) => {
    const list = [], add = (text, by) => { if (norm(text)) list.push({ text: tidy(text), by }); };
    const { el, inner, group } = control;
    for (const of of new Set([el, ...(group ? [] : inner)])) {
      for (const id of (of.getAttribute("aria-labelledby") ?? "").split(/\s+/)) {
        const label = id && of.getRootNode().getElementById?.(id);
        if (label) add(own(label), "label");
      }
      if (!group) for (const label of of.labels ?? []) add(own(label), "label");
      add(of.getAttribute("aria-label"), "aria");
    }
    const item = el.closest(".el-form-item");
    if (item && (!control.caption || control.alone)) add(own(item.querySelector(".el-form-item__label") ?? document.createElement("i")), "label");
    if (control.caption) add(control.caption, "label");
    if (group) add(own(el.closest("fieldset")?.querySelector("legend") ?? document.createElement("i")), "label");
    if (!list.length || group) add(before(el), "nearby");
    for (const of of inner) {
      add(of.getAttribute("placeholder"), "placeholder");
      add(of.getAttribute("title"), "title");
      add(of.getAttribute("name"), "name");
      if (!group) add(of.id, "id");
    }
    return list;
  };

  // controls lists the controls below root, each claimed by one family; a
  // widget's inner inputs belong to the widget.
  const controls = (root) => {
    const taken = new Set(), list = [];
    for (const family of [...families].sort((a, b) => a.rank - b.rank)) {
      for (const control of family.find((selector) => all(selector, root).filter((el) => !taken.has(el)))) {
        control.inner ??= [control.el];
        control.family = family;
        control.shows = visible(control.face ?? control.el);
        [control.el, ...control.inner, ...all("input,select,textarea", control.el)].forEach((el) => taken.add(el));
        list.push(control);
      }
    }
    for (const control of list) control.names = names(control);
    return list;
  };

  const order = ["label", "aria", "nearby", "placeholder", "title", "name", "id"];

  // locate finds the control called label; the best kind of name wins.
  const locate = (list, label) => {
    const wanted = norm(label);
    for (const by of order) {
      const found = list.filter((c) => c.shows && c.names.some((n) => n.by === by && norm(n.text) === wanted));
      if (found.length === 1) return { control: found[0], by };
      if (found.length > 1) fail("ambiguous", `${found.length} fields are called ${label}`, { field: label });
    }
    fail("field_not_found", `no field is called ${label}`, { field: label, there: [...new Set(list.filter((c) => c.shows && c.names.length).map((c) => c.names[0].text))] });
  };

  // ---- where a form is ----------------------------------------------------------
  const formsIn = () => all("form").filter((f) => visible(f) && controlsInside(f));
  const controlsInside = (el) => all("input:not([type=hidden]),select,textarea,[role=combobox],[role=radiogroup]", el).some((x) => visible(x) || x.type === "radio" || x.type === "checkbox");

  const bySelector = (text) => { try { return all(text).filter(visible); } catch { return []; } };

  const byTitle = (title) => {
    const wanted = norm(title), named = all("form,[role=form],[role=dialog],fieldset").filter((f) => visible(f) &&
      [f.getAttribute("aria-label"), f.getAttribute("name"), f.id, ...(f.getAttribute("aria-labelledby") ?? "").split(/\s+/).map((id) => id && f.getRootNode().getElementById?.(id)?.textContent)]
        .some((name) => name && norm(name) === wanted));
    if (named.length) return named;
    const roots = new Set();
    for (const heading of all("h1,h2,h3,h4,h5,h6,legend,caption,[role=heading],.el-dialog__title,.el-card__header,header,strong,b")) {
      if (!visible(heading) || norm(shown(heading)) !== wanted) continue;
      let at = heading.parentElement;
      while (at && at !== document.body && !controlsInside(at)) at = at.parentElement;
      if (at) roots.add(at);
    }
    if (roots.size) return [...roots].filter((root) => ![...roots].some((other) => other !== root && root.contains(other)));
    return norm(document.title) === wanted ? [document.body] : [];
  };

  const titles = () => [...new Set([...all("form[aria-label]").filter(visible).map((f) => f.getAttribute("aria-label")),
    ...all("h1,h2,h3,legend,.el-dialog__title").filter(visible).map(shown), document.title].map(tidy).filter(Boolean))];

  // formRoot finds the form called title (name, heading or CSS selector); without
  // one it is the only form of the page, else the whole page.
  const formRoot = (title) => {
    if (!title) {
      const forms = formsIn();
      return forms.length === 1 ? forms[0] : document.body ?? document.documentElement;
    }
    let found = byTitle(title);
    if (!found.length) found = bySelector(title);
    if (found.length > 1) fail("ambiguous", `${found.length} forms are called ${title}`, { there: titles() });
    if (!found.length) fail("not_found", `no form is called ${title}`, { there: titles() });
    return found[0];
  };

  const titleOf = (root) => {
    const heading = [...root.querySelectorAll("h1,h2,h3,legend")].concat(all("h1,h2")).find(visible);
    return tidy(root.getAttribute("aria-label")) || (heading ? shown(heading) : tidy(document.title));
  };

  // ---- where to click ---------------------------------------------------------------
  // point waits until el stands still and is what a click there would hit.
  const point = async (el, ms = 4000) => {
    let last = "", covered;
    const spot = await until(() => {
      if (!el.isConnected) return { gone: true };
      const box = el.getBoundingClientRect();
      if (box.bottom < 1 || box.right < 1 || box.top > innerHeight - 1 || box.left > innerWidth - 1 || covered) {
        el.scrollIntoView({ block: "center", inline: "nearest", behavior: "instant" });
      }
      const now = el.getBoundingClientRect(), key = [now.x, now.y, now.width, now.height].join();
      const still = key === last;
      last = key;
      if (!still || !now.width || !now.height) return undefined;
      const x = now.x + now.width / 2, y = now.y + now.height / 2;
      const hit = deepest(x, y);
      covered = reaches(el, hit) ? undefined : hit ?? document.body;
      return covered ? undefined : { x, y };
    }, ms);
    if (spot?.gone) fail("page_changed", "the element went away");
    if (!spot) hidden(el, covered);
    return spot;
  };
  // reaches holds where a click on hit is one on el.
  const reaches = (el, hit) => !!hit && (el === hit || el.contains(hit) || hit.contains(el) && hit.matches("label,a,button,[role=option],li")
    || hit.closest?.("label")?.control === el || !!el.getRootNode().host?.contains(hit));
  // hidden is why el cannot be clicked: something lies over the page, or over el.
  const hidden = (el, cover) => {
    if (!cover) fail("covered", `${describe(el)} cannot be clicked: it has no size or does not stand still`);
    let box;
    for (let at = cover; at && at !== document.body; at = at.parentElement ?? at.getRootNode().host) {
      if (at.matches("dialog,[role=dialog],[role=alertdialog],[aria-modal=true]") || getComputedStyle(at).position === "fixed") box = at;
    }
    const says = box && !box.contains(el) ? shown(box) : "";
    if (says) fail("popup_unexpected", `${describe(el)} cannot be clicked, this is in front of it: ${says.slice(0, 200)}`);
    fail("covered", `${describe(el)} cannot be clicked: it is covered by ${describe(cover)}`);
  };
  const deepest = (x, y) => {
    let hit = document.elementFromPoint(x, y);
    while (hit?.shadowRoot) {
      const inner = hit.shadowRoot.elementFromPoint(x, y);
      if (!inner || inner === hit) break;
      hit = inner;
    }
    return hit;
  };
  const describe = (el) => `<${el.tagName.toLowerCase()}${el.id ? "#" + el.id : ""}${typeof el.className === "string" && el.className ? "." + el.className.trim().split(/\s+/)[0] : ""}>`;

  // ---- stillness ---------------------------------------------------------------------
  let moved = performance.now();
  new MutationObserver(() => { moved = performance.now(); }).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });

  // scripted holds where something in the page could change it by itself.
  const scripted = () => all("script,iframe,frame,object,embed,meta[http-equiv]").some((el) => !el.matches("meta:not([http-equiv=refresh i])"))
    || document.evaluate("boolean(//@*[starts-with(name(), 'on')])", document, null, XPathResult.BOOLEAN_TYPE).booleanValue
    || performance.getEntriesByType("resource").some((entry) => ["script", "fetch", "xmlhttprequest", "beacon"].includes(entry.initiatorType));

  // ready returns once the document is parsed and has not changed for quiet ms.
  const ready = async (quiet, limit) => {
    if (document.readyState === "loading") await new Promise((done) => document.addEventListener("DOMContentLoaded", done, { once: true }));
    const inert = !scripted();
    await until(() => inert ? document.readyState === "complete" : performance.now() - moved >= quiet, inert ? 10000 : limit);
    const entry = performance.getEntriesByType("navigation")[0];
    return { url: location.href, status: entry?.responseStatus ?? 0, document: performance.timeOrigin, password: all("input[type=password]").some(visible),
      inert: inert && document.readyState === "complete",
      guard: /^branchbot: (\w+)$/.exec(document.title)?.[1] ?? "" };
  };

  const family = (f) => families.push(f);
  return { family, norm, tidy, shown, visible, all, frame, until, fail, own, before, controls, locate, formRoot, titleOf, titles, point, reaches, hidden, describe, ready };
})();
