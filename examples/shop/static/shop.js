const renzheng = document.body.dataset.renzheng;
const { CODES, getMeta, start } = await import(`${renzheng}/sdk/renzheng.js`);

const [pay, told, dialog, field] = ["pay", "told", "check", "photo"].map((id) => document.getElementById(id));

async function ask(path, body = {}) {
  const reply = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const found = await reply.json();
  if (!reply.ok) throw new Error(found.error);
  return found;
}

async function photo() {
  const file = field.querySelector("input").files[0];
  if (!file) return "";
  const bytes = new Uint8Array(await file.arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

async function verify() {
  const { token } = await ask("/begin", { meta: await getMeta(), photo: await photo() });
  dialog.showModal();
  const end = await start({ token, container: "#frame" });
  dialog.close();
  if (end.code !== CODES.FINISHED) return `没有完成（${end.code}） · Not finished`;
  const { paid, description } = await ask("/finish");
  return paid ? "付款成功 · Paid" : `未通过：${description} · Not verified`;
}

pay.addEventListener("click", async () => {
  pay.disabled = true;
  told.textContent = "";
  try {
    told.textContent = await verify();
  } catch (error) {
    told.textContent = error.message;
  } finally {
    pay.disabled = false;
  }
});
pay.dataset.ready = "";
