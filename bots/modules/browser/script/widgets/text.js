// Text: native inputs for text of every sort, text areas, and the native input
// inside el-input.
"use strict";
(() => {
  const types = ["text", "password", "number", "tel", "email", "url", "search"];
  bb.family({
    name: "text", rank: 10,
    find: (pick) => pick("input,textarea").filter((el) => el.matches("textarea") || types.includes(el.type)).map((el) => ({ el })),
    holds: ({ el }, wanted) => bb.sameText(el.value, wanted),
    check: ({ el }, wanted) => {
      if (wanted.bool !== undefined || wanted.list) bb.fail("fill_value", `${wanted.label} takes text`, { field: wanted.label });
      if (el.disabled || el.readOnly) bb.fail("field_locked", `the field ${wanted.label} cannot be changed`, { field: wanted.label });
    },
    burst: ({ el }, wanted) => wanted.secret !== undefined ? { el, secret: wanted.secret } : wanted.text === "" ? { el, key: "Delete" } : { el, text: wanted.text },
    async set({ el }, wanted, hand) { // one at a time: some fields are replaced by another when entered
      await hand.click(el);
      const active = document.activeElement?.matches("input,textarea") ? document.activeElement : el;
      if (document.activeElement !== active) active.focus();
      active.select();
      if (wanted.text === "") await hand.key("Delete"); else await hand.text(wanted);
      await hand.until(() => bb.sameText(active.value, wanted), 300);
      active.blur();
    },
  });
})();
