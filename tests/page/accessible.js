// What automatic checks can know of a page: names, headings, captions, ids. Returns what is wrong.
() => {
  const wrong = [];
  const all = (what) => [...document.querySelectorAll(what)];
  if (all("h1").length !== 1) wrong.push("h1: " + all("h1").length);
  if (all("main").length !== 1 || all("header").length < 1) wrong.push("landmarks");
  const ids = all("[id]").map((e) => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push("twice: " + id);
  for (const e of all("table")) if (!e.caption?.textContent) wrong.push("no caption");
  for (const e of all("th")) if (!e.getAttribute("scope")) wrong.push("no scope");
  for (const e of all("svg")) {
    const isHidden = e.closest("[aria-hidden=true]");
    const isNamed = e.getAttribute("role") === "img" && e.getAttribute("aria-label");
    if (!isHidden && !isNamed) wrong.push("svg: " + e.outerHTML.slice(0, 80));
  }
  for (const e of all("input, select")) if (!e.labels.length) wrong.push("no label: " + e.id);
  for (const e of all("button, a"))
    if (!e.textContent.trim()) wrong.push("no text: " + e.outerHTML);
  for (const e of all("img")) if (!e.hasAttribute("alt")) wrong.push("no alt");
  for (const e of all("[aria-labelledby], [aria-describedby]")) {
    const named = e.getAttribute("aria-labelledby") ?? e.getAttribute("aria-describedby");
    if (!document.getElementById(named)) wrong.push("names nothing: " + named);
  }
  let level = 1;
  for (const e of all("h1, h2, h3")) {
    const its = Number(e.tagName[1]);
    if (its > level + 1) wrong.push("heading skips: " + e.textContent);
    level = its;
  }
  for (const e of all("dialog, [role=region], nav"))
    if (!e.getAttribute("aria-label") && !e.getAttribute("aria-labelledby")) wrong.push("no name");
  return wrong;
};
