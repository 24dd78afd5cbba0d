// Element Plus el-date-picker for one date: typed, then left with Tab. Enter
// would submit some forms, and setting the input does not reach the model.
"use strict";
(() => {
  const input = (el) => el.querySelector("input");
  const holds = ({ el }, wanted) => {
    const has = input(el)?.value ?? "";
    return wanted.text === "" ? has === "" : bb.day(has) !== undefined && bb.day(has) === bb.day(wanted.text);
  };
  const forms = (wanted) => {
    const day = bb.day(wanted.text);
    if (!day) bb.fail("fill_value", `${wanted.label} takes a date (YYYY-MM-DD)`, { field: wanted.label });
    const [y, m, d] = day.split("-");
    return [day, `${y}/${m}/${d}`, `${y}${m}${d}`, `${y}年${m}月${d}日`, `${y}.${m}.${d}`];
  };
  bb.family({
    name: "el-date-picker", rank: 0,
    style: ".el-popper,[class*=el-zoom-in-],[class*=el-fade-in]{transition:none!important;animation:none!important}",
    find: (pick) => pick(".el-date-editor.el-input,.el-date-editor--date").filter((el) => !el.matches(".el-range-editor,.el-date-editor--time,.el-date-editor--time-select"))
      .map((el) => ({ el, inner: [input(el)].filter(Boolean) })),
    holds,
    check: ({ el }, wanted) => {
      bb.onlyText("a date")(null, wanted);
      if (input(el).disabled && !holds({ el }, wanted)) bb.fail("field_locked", `the field ${wanted.label} cannot be changed`, { field: wanted.label });
    },
    async set(control, wanted, hand) {
      const field = input(control.el);
      for (const text of forms(wanted)) {
        await hand.click(field);
        await hand.until(() => document.activeElement === field, 300);
        field.select();
        await hand.text(text);
        await hand.key("Tab");
        await hand.until(() => holds(control, wanted), 500);
        if (holds(control, wanted)) break;
      }
    },
  });
})();
