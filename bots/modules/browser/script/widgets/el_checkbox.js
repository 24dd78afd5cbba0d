// Element Plus el-checkbox: alone it is True or False, in a group a list.
"use strict";
(() => {
  const box = ".el-checkbox,.el-checkbox-button";
  const on = (x) => x.classList.contains("is-checked");
  const text = (x) => bb.tidy(x.textContent);
  const press = async (x, want, hand) => {
    for (let i = 0; i < 3 && on(x) !== want; i++) {
      await hand.click(x.querySelector(".el-checkbox__inner") ?? x);
      await hand.until(() => on(x) === want, 400);
    }
  };
  bb.family({
    name: "el-checkbox-group", rank: -1,
    find: (pick) => pick(".el-checkbox-group").map((el) => ({ el, inner: [], group: true })),
    holds: ({ el }, wanted) => options(el).every(({ x }) => on(x) === wants(el, x, wanted)),
    check: bb.onlyText("a group of check boxes"),
    async set({ el }, wanted, hand) {
      for (const name of bb.list(wanted)) if (!bb.choose(options(el), { ...wanted, text: name })) bb.notOffered(options(el), { ...wanted, text: name });
      for (const { x } of options(el)) await press(x, wants(el, x, wanted), hand);
    },
  });
  bb.family({
    name: "el-checkbox", rank: -2, // before the group, which would claim its boxes
    find: (pick) => pick(box).map((el) => ({ el, inner: bb.all("input", el), caption: text(el) || undefined,
      alone: (el.closest(".el-form-item")?.querySelectorAll(box).length ?? 0) === 1 })),
    holds: ({ el }, wanted) => on(el) === wanted.bool,
    check: (control, wanted) => {
      if (wanted.bool === undefined) bb.fail("fill_value", `${wanted.label} takes True or False`, { field: wanted.label });
    },
    set: ({ el }, wanted, hand) => press(el, wanted.bool, hand),
  });
  const options = (el) => bb.all(box, el).map((x) => ({ x, text: text(x), value: x.querySelector("input")?.value }));
  const wants = (el, x, wanted) => bb.list(wanted).some((name) => bb.choose(options(el), { ...wanted, text: name })?.x === x);
})();
