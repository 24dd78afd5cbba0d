// Native select: set in the page as Playwright does, the page told by events.
"use strict";
(() => {
  const options = (el) => [...el.options].filter((o) => !o.disabled).map((o) => ({ o, text: bb.tidy(o.label || o.text), value: o.value }));
  const put = (el, wanted) => {
    const chosen = bb.list(wanted).map((text) => bb.choose(options(el), text === wanted.text ? wanted : { ...wanted, text }));
    if (chosen.some((c) => !c)) return false;
    for (const o of el.options) o.selected = chosen.some((c) => c.o === o);
    for (const type of ["input", "change"]) el.dispatchEvent(new Event(type, { bubbles: true, composed: true }));
    return true;
  };
  bb.family({
    name: "select", rank: 10,
    find: (pick) => pick("select").map((el) => ({ el })),
    holds: ({ el }, wanted) => {
      const chosen = bb.list(wanted).map((text) => bb.choose(options(el), text === wanted.text ? wanted : { ...wanted, text }));
      return chosen.every((c) => c?.o.selected) && el.selectedOptions.length === chosen.length;
    },
    check: bb.onlyText("a select"),
    direct: ({ el }, wanted) => !el.disabled && put(el, wanted),
    async set({ el }, wanted, hand) { // its choices may come after another field was filled
      if (!await hand.until(() => !el.disabled && put(el, wanted), 3000)) bb.notOffered(options(el), wanted);
    },
  });
})();
