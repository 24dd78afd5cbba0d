// Element Plus el-radio and el-radio-button: the group is the field; the choice
// is pressed and looked at again.
"use strict";
(() => {
  const inner = ".el-radio,.el-radio-button";
  const options = (el) => bb.all(inner, el).filter((x) => !x.parentElement.closest(inner))
    .map((x) => ({ x, text: bb.tidy(x.textContent), value: x.querySelector("input")?.value }));
  const on = (x) => x.classList.contains("is-checked") || x.classList.contains("is-active");
  const holds = ({ el }, wanted) => { const choice = bb.choose(options(el), wanted); return !!choice && on(choice.x); };
  bb.family({
    name: "el-radio", rank: 0,
    find: (pick) => {
      const groups = pick(".el-radio-group");
      const items = new Set(pick(inner).filter((x) => !x.closest(".el-radio-group")).map((x) => x.closest(".el-form-item__content") ?? x.parentElement));
      return [...groups, ...items].map((el) => ({ el, inner: bb.all("input", el), group: true }));
    },
    holds,
    check: bb.onlyText("a choice"),
    async set({ el }, wanted, hand) {
      const choice = bb.choose(options(el), wanted);
      if (!choice) bb.notOffered(options(el), wanted);
      for (let i = 0; i < 3 && !on(choice.x); i++) {
        await hand.click(choice.x);
        await hand.until(() => on(choice.x), 400);
      }
    },
  });
})();
