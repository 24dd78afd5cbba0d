// Filling a form. The page conducts, Go is its hand: bb.begin and bb.next give
// the next trusted action to do (click, text, key, burst) until it is done.
"use strict";
(() => {
  const { norm, all, until, frame, fail, controls, locate, formRoot, titleOf, point } = bb;

  // ---- one conversation with Go -----------------------------------------------
  let outgoing, incoming, resume;
  const arm = () => { incoming = new Promise((give) => { outgoing = give; }); return incoming; };
  const act = (action) => new Promise((done) => { resume = done; outgoing(action); });
  bb.next = () => { const next = arm(); resume(); return next; };
  const conduct = (work) => {
    const next = arm();
    work().then((done) => outgoing({ op: "done", done }), (thrown) => {
      if (thrown?.fault) outgoing({ op: "fault", ...thrown }); else outgoing({ op: "broken", message: String(thrown?.stack ?? thrown) });
    });
    return next;
  };

  // hand is what a widget family may do, all of it trusted input.
  const hand = {
    click: async (el) => act({ op: "click", ...await point(el) }),
    text: (wanted) => act({ op: "text", ...typed(wanted) }),
    key: (key) => act({ op: "key", key }),
    until, frame,
  };
  const typed = (wanted) => typeof wanted === "string" ? { text: wanted } : wanted.secret === undefined ? { text: wanted.text } : { secret: wanted.secret };

  // ---- the stages ------------------------------------------------------------------
  // find waits until every field of the form is there.
  const find = async (title, fields, ms) => {
    let problem;
    const found = await until(() => {
      try {
        const root = formRoot(title), list = controls(root);
        return { root, fields: fields.map((wanted) => ({ wanted, ...locate(list, wanted.label) })) };
      } catch (thrown) {
        if (!thrown.fault) throw thrown;
        problem = thrown;
        return undefined;
      }
    }, ms);
    if (!found) throw problem;
    return found;
  };

  // calm takes the motion out of the widgets of a family: clicks during a
  // pop-up's motion are lost, and waiting for its end is most of a fill.
  const calmed = new Set();
  const calm = ({ style }) => {
    if (!style || calmed.has(style)) return;
    calmed.add(style);
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  };

  bb.calm = calm;

  const right = ({ control, wanted }) => control.family.holds(control, wanted);

  // burst types all quick fields in one go: Go sends everything without waiting,
  // and each field's own trusted event moves the focus to the next.
  const burst = async (items) => {
    if (!items.length) return;
    let at = 0;
    const enter = () => { if (at < items.length) focus(items[at].el); else document.activeElement?.blur(); };
    const gate = (event) => {
      if (!event.isTrusted || at >= items.length || event.composedPath()[0] !== items[at].el) return;
      at++;
      enter();
    };
    for (const type of ["input", "change"]) addEventListener(type, gate);
    try {
      enter();
      await act({ op: "burst", items: items.map(({ el, ...item }) => item) });
      await until(() => at >= items.length, 300);
    } finally {
      for (const type of ["input", "change"]) removeEventListener(type, gate);
      document.activeElement?.blur();
    }
  };
  const focus = (el) => {
    el.focus({ preventScroll: true });
    if (el.matches("input:not([type=checkbox]):not([type=radio]),textarea")) el.select();
  };

  // fill sets what is not yet right, reads all back, and refills once what was lost.
  const fill = async (title, fields, ms) => {
    let found = await find(title, fields, ms);
    for (const f of found.fields.filter((f) => f.wanted.secret !== undefined)) {
      if (location.origin !== f.wanted.origin) fail("secret_origin", "the page has left the origin that may receive the secret", { field: f.wanted.label });
      for (const el of f.control.inner) bb.secretFields.add(el);
    }
    for (const f of found.fields) f.control.family.check?.(f.control, f.wanted);
    let open = found.fields.filter((f) => !right(f));
    const direct = open.filter((f) => f.control.family.direct?.(f.control, f.wanted));
    open = open.filter((f) => !direct.includes(f));
    for (const f of open) calm(f.control.family);
    for (const f of open) f.quick = f.control.family.burst?.(f.control, f.wanted);
    await burst(open.filter((f) => f.quick).map((f) => f.quick));
    for (const f of open.filter((f) => !f.quick)) await set(f);
    await frame();
    found = await find(title, fields, ms);
    const lost = found.fields.filter((f) => !right(f));
    for (const f of lost) await set(f);
    if (lost.length) {
      await frame();
      found = await find(title, fields, ms);
      const wrong = found.fields.find((f) => !right(f));
      if (wrong) mismatch(wrong);
    }
    const lostLabels = lost.map((f) => f.wanted.label);
    return { title: titleOf(found.root), healed: lost.length, fields: found.fields.map(({ wanted, control, by }) => ({
      label: wanted.label, by, widget: control.family.name, refilled: lostLabels.includes(wanted.label) })) };
  };

  const set = async (f) => {
    try { await f.control.family.set(f.control, f.wanted, hand); } catch (thrown) {
      if (thrown?.fault) thrown.fault.field ??= f.wanted.label;
      throw thrown;
    }
  };

  const mismatch = ({ wanted, control }) => {
    const has = control.inner[0].value ?? "", max = control.inner[0].maxLength;
    const cut = wanted.text !== undefined && max > 0 && wanted.text.length > max ? `, it takes ${max} characters and was given ${wanted.text.length}` : "";
    fail("fill_mismatch", `the field ${wanted.label} does not keep what was filled in (${control.family.name}, ${String(has).length} characters)${cut}`, { field: wanted.label, cut: !!cut });
  };

  bb.begin = (title, fields, ms) => conduct(() => fill(title, fields, ms));

  // ---- comparing and choosing, for the families --------------------------------------
  const plain = (text) => norm(text).replace(/[,\-_'’.]/g, (c) => c === "." ? c : "");

  // sameText allows what pages do to typed text: letter case, grouping.
  bb.sameText = (has, wanted) => {
    if (wanted.secret !== undefined) return has.length === wanted.length;
    const want = wanted.text ?? "";
    if (has === want || has.replace(/\r\n/g, "\n") === want.replace(/\r\n/g, "\n")) return true;
    if (!has || !want) return false;
    return plain(has) === plain(want) || /^-?[\d,]+(\.\d+)?$/.test(has) && /^-?\d+(\.\d+)?$/.test(want) && Number(has.replace(/,/g, "")) === Number(want);
  };

  // any lists what a choice may be called: as given, and its other names.
  bb.any = (wanted) => [wanted.text, ...(wanted.also ?? [])].filter((x) => x !== undefined && x !== null).map(norm);
  bb.choose = (options, wanted) => {
    for (const name of bb.any(wanted)) {
      for (const key of ["text", "value"]) {
        const found = options.filter((o) => o[key] !== undefined && norm(o[key]) === name);
        if (found.length === 1) return found[0];
        if (found.length > 1) fail("ambiguous", `${found.length} choices are called alike in ${wanted.label}`, { field: wanted.label });
      }
    }
    return undefined;
  };
  bb.notOffered = (options, wanted) => {
    const shared = (text) => [...norm(text)].filter((c) => norm(wanted.text).includes(c)).length;
    const near = options.map((o) => o.text).filter(Boolean).sort((a, b) => shared(b) - shared(a)).slice(0, 8);
    fail("choice_not_offered", `${wanted.label} does not offer what was asked for`, { field: wanted.label, there: near });
  };

  // day reads a date in any of the usual year-first forms.
  bb.day = (text) => {
    const m = /^(\d{4})\D?(\d{1,2})\D?(\d{1,2})\D?$/.exec(norm(text));
    return m ? [m[1], m[2].padStart(2, "0"), m[3].padStart(2, "0")].join("-") : undefined;
  };
  bb.list = (wanted) => wanted.list ?? [wanted.text];
  bb.onlyText = (family) => (control, wanted) => {
    if (wanted.secret !== undefined) fail("secret_field", `a secret can only be filled into a text field, ${wanted.label} is ${family}`, { field: wanted.label });
  };
})();
