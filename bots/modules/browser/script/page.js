// Reading the page and finding what to press.
"use strict";
(() => {
  const { norm, tidy, shown, visible, all, until, fail, point } = bb;
  const pressable = "button,a[href],input[type=submit],input[type=button],input[type=reset],summary,[role=button],[role=link],[role=tab],[role=menuitem],[role=option],[onclick]";
  const caption = (el) => el.matches("input") ? el.value : shown(el) || el.getAttribute("aria-label") || el.title || "";
  const enabled = (el) => !el.disabled && el.getAttribute("aria-disabled") !== "true" && !el.classList.contains("is-disabled");
  const outermost = (list) => list.filter((el) => !list.some((other) => other !== el && other.contains(el)));
  const innermost = (list) => list.filter((el) => !list.some((other) => other !== el && el.contains(other)));
  const there = () => [...new Set(all(pressable).filter(visible).map(caption).map(tidy).filter(Boolean))].slice(0, 30);

  const called = (text, root) => {
    const wanted = norm(text);
    const found = outermost(all(pressable, root).filter((el) => visible(el) && norm(caption(el)) === wanted));
    if (found.length) return found;
    return innermost(all("*", root).filter((el) => norm(el.textContent) === wanted && visible(el)));
  };

  // target finds the one thing called text and where to click it.
  bb.target = async (text, ms) => {
    let found = [];
    await until(() => { found = called(text, document); return found.some(enabled); }, ms);
    if (!found.length) return { fault: { code: "not_found", message: `nothing to press is called ${text}`, there: there() } };
    const usable = found.filter(enabled);
    if (usable.length > 1) return { fault: { code: "ambiguous", message: `${usable.length} things to press are called ${text}` } };
    if (!usable.length) return { fault: { code: "not_found", message: `${text} is disabled`, there: there() } };
    return { ...await spot(usable[0]), document: performance.timeOrigin };
  };

  // aim is what the next press is meant for, and what it hits: something may come
  // in front of it on the way.
  let aim;
  addEventListener("mousedown", (event) => { if (event.isTrusted && aim) aim.hit ??= event.composedPath()[0]; }, true);
  const spot = async (el) => {
    try {
      const at = await point(el);
      aim = { el };
      return at;
    } catch (thrown) {
      if (!thrown.fault) throw thrown;
      return thrown;
    }
  };

  // landed says what has caught the last press, if that is still there to be pressed.
  bb.landed = () => {
    if (!aim?.hit || !aim.el.isConnected || bb.reaches(aim.el, aim.hit)) return {};
    try { bb.hidden(aim.el, aim.hit); } catch (thrown) {
      if (!thrown.fault) throw thrown;
      return thrown;
    }
    return {};
  };

  const words = ["提交", "提交申请", "确认提交", "submit", "确定", "确认", "ok", "confirm", "保存", "save"];

  // submitButton finds the button that submits: by name, else by the usual
  // words, else the only submit button of the form, else of the page.
  bb.submitButton = async (title, name, ms) => {
    if (name) return bb.target(name, ms);
    let problem;
    const button = await until(() => { const [one, trouble] = guess(title); problem = trouble; return one; }, ms);
    return button ? spot(button) : { fault: problem };
  };
  const guess = (title) => {
    let form;
    try { form = bb.formRoot(title); } catch { form = document; }
    for (const root of new Set([form, document])) {
      const buttons = outermost(all(pressable, root).filter((el) => visible(el) && enabled(el)));
      for (const word of words) {
        const found = buttons.filter((el) => norm(caption(el)) === word);
        if (found.length === 1) return [found[0]];
        if (found.length > 1) return [undefined, { code: "ambiguous", message: `${found.length} buttons are called ${word}`, hint: "button" }];
      }
      const typed = buttons.filter((el) => el.matches("button[type=submit],button:not([type]),input[type=submit]") && el.form);
      if (typed.length === 1) return [typed[0]];
    }
    return [undefined, { code: "not_found", message: "no submit button found", there: there() }];
  };

  // confirmation waits for a box that asks back and returns its first button.
  const boxes = { style: ".el-overlay,.el-overlay-message-box,.el-message-box,.el-popconfirm{transition:none!important;animation:none!important}" };
  bb.confirmation = async (ms) => {
    bb.calm(boxes);
    const box = () => all(".el-message-box,.el-popconfirm,.ant-modal-confirm").find(visible);
    const button = await until(() => box()?.querySelector(".el-message-box__btns .el-button--primary,.el-popconfirm__action .el-button--primary,.ant-btn-primary"), ms);
    return button ? spot(button) : null;
  };

  // popup finds a listed pop-up that shows, and the button that closes it.
  bb.popup = async (listed) => {
    for (const { text, press } of listed) {
      if (!text || !press || !norm(document.body?.textContent).includes(norm(text))) continue;
      for (const button of called(press, document)) {
        let at = button;
        while (at && at !== document.body && !norm(at.textContent).includes(norm(text))) at = at.parentElement;
        if (at && at !== document.body && visible(at)) return spot(button);
      }
    }
    return null;
  };

  const pick = (selector) => {
    if (!selector) return [document.body ?? document.documentElement];
    try { return all(selector).filter(visible); } catch { return fault("selector", `${selector} is not a CSS selector`); }
  };
  const fault = (code, message, more = {}) => ({ fault: { code, message, ...more } });

  const one = async (selector, ms) => {
    const first = await until(() => { const found = pick(selector); return found.fault || found.length ? found : undefined; }, ms);
    if (first?.fault) return first;
    if (!first) return fault("not_found", `nothing on the page matches ${selector}`, { there: bb.titles() });
    if (first.length > 1) return fault("ambiguous", `${first.length} elements match ${selector}`);
    return first[0];
  };

  bb.text = async (selector, ms) => {
    const el = await one(selector, ms);
    return el.fault ? el : { text: (el.innerText ?? el.textContent).trim() };
  };

  // table reads a table as rows by header; the only one when no selector is given.
  bb.table = async (selector, ms) => {
    let table = await one(selector || "table", ms);
    if (table.fault) return table;
    if (!table.matches("table")) table = table.querySelector("table") ?? table;
    if (!table.matches("table")) return fault("not_found", `${selector} is no table`);
    return { rows: rows(table) };
  };
  const rows = (table) => {
    const holder = table.closest(".el-table") ?? table;
    const lines = [...holder.querySelectorAll("tr")].filter((tr) => !tr.querySelector("table"));
    const head = lines.find((tr) => tr.querySelector("th"));
    const titles = head ? [...head.cells].map((cell) => tidy(cell.textContent)) : [];
    return lines.filter((tr) => tr !== head && tr.cells.length).map((tr) => [...tr.cells].map((cell, i) =>
      [titles[i] || String(i + 1), bb.own(cell)]));
  };

  bb.count = (selector) => { const found = pick(selector); return found.fault ? found : { count: found.length }; };

  // left returns once a sign-in has led on: another document than the one that
  // was pressed in, or no password field any more.
  bb.left = (document, ms) => until(() => performance.timeOrigin !== document || !all("input[type=password]").some(visible), ms).then(Boolean);

  bb.url = () => location.href;

  // wait returns once text or selector shows.
  bb.wait = async (text, selector, ms) => {
    const wanted = norm(text);
    const holds = () => (!wanted || norm(document.body?.innerText).includes(wanted)) && (!selector || pick(selector).fault || pick(selector).length);
    if (await until(holds, ms)) return selector && pick(selector).fault ? pick(selector) : {};
    return fault("not_found", `${text || selector} did not show`, { there: bb.titles() });
  };

  // ---- pictures ---------------------------------------------------------------------
  // mask hides password fields and everything that shows a secret; unmask undoes it.
  let masked = [];
  bb.secretFields = new Set();
  bb.mask = (secrets) => {
    const hide = new Set([...all("input[type=password]"), ...[...bb.secretFields].filter((el) => el.isConnected)]);
    for (const el of all("input,textarea")) if (secrets.some((s) => el.value.includes(s))) hide.add(el);
    const walk = document.createTreeWalker(document, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) if (secrets.some((s) => walk.currentNode.data.includes(s))) hide.add(walk.currentNode.parentElement);
    masked = [...hide].map((el) => [el, el.getAttribute("style")]);
    for (const [el] of masked) for (const [name, value] of [["color", "transparent"], ["-webkit-text-fill-color", "transparent"], ["background", "#888"], ["text-shadow", "none"]]) el.style.setProperty(name, value, "important");
    return masked.length;
  };
  bb.unmask = () => {
    for (const [el, style] of masked) style === null ? el.removeAttribute("style") : el.setAttribute("style", style);
    masked = [];
  };
})();
