// Native date and its kin: set in the page, since typed digits would go in the
// order of the browser's own language.
"use strict";
(() => {
  const types = ["date", "month", "week", "time", "datetime-local", "color", "range"];
  const value = (el, wanted) => (el.type === "date" && bb.day(wanted.text)) || wanted.text;
  const put = ({ el }, wanted) => {
    if (el.disabled || el.readOnly) return false;
    el.focus({ preventScroll: true });
    el.value = value(el, wanted);
    for (const type of ["input", "change"]) el.dispatchEvent(new Event(type, { bubbles: true, composed: true }));
    el.blur();
    return true;
  };
  bb.family({
    name: "date", rank: 10,
    find: (pick) => pick("input").filter((el) => types.includes(el.type)).map((el) => ({ el })),
    holds: ({ el }, wanted) => el.value === value(el, wanted),
    check: bb.onlyText("a date"),
    direct: put,
    async set(control, wanted) { put(control, wanted); },
  });
})();
