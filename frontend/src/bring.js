// Bringing a file: dropped on the form or chosen, it leaves at once and says how much has left; the page of long work
// says how far it is. Without this file: a button to send, a link to look again.
const form = document.querySelector("[data-bring]");
if (form) {
  const words = JSON.parse(form.dataset.bring);
  const input = form.querySelector("[type=file]");
  const line = form.querySelector(".progress");
  const [bar, said] = [line.querySelector("progress"), line.querySelector("span")];
  const hint = form.querySelector(".hint");
  hint.textContent = `${words.drop} ${hint.textContent}`;
  form.querySelector(".actions").hidden = true;

  const send = () => {
    if (!input.files.length) return;
    const request = new XMLHttpRequest();
    line.hidden = false;
    request.upload.addEventListener("progress", (event) => {
      bar.value = Math.floor((100 * event.loaded) / event.total);
      said.textContent = words.sending.replace("{n}", bar.value);
    });
    const failed = () => {
      said.textContent = words.failed;
      form.querySelector(".actions").hidden = false;
    };
    request.addEventListener("error", failed);
    request.addEventListener("load", () => {
      if (request.status < 400) location.assign(request.responseURL);
      else if (request.responseText.startsWith("<!doctype")) {
        const page = new DOMParser().parseFromString(request.responseText, "text/html");
        const wrong = page.querySelector(".summary, .problem, main p");
        said.textContent = wrong ? wrong.textContent.trim() : words.failed;
        input.value = "";
      } else failed();
    });
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "text/html");
    request.send(new FormData(form));
  };
  input.addEventListener("change", send);
  for (const kind of ["dragenter", "dragover"]) {
    form.addEventListener(kind, (event) => {
      event.preventDefault();
      form.dataset.over = "";
    });
  }
  form.addEventListener("dragleave", () => delete form.dataset.over);
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    delete form.dataset.over;
    if (!event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    send();
  });
}

const waiting = document.querySelector("[data-waiting]");
if (waiting) {
  const [bar, said] = [waiting.querySelector("progress"), waiting.querySelector("p")];
  const look = async () => {
    try {
      const state = await (await fetch(waiting.dataset.waiting)).json();
      if (!state.waiting) return location.reload();
      if (state.whole) {
        bar.max = state.whole;
        bar.value = state.done;
      }
      if (state.done) said.textContent = state.said;
    } catch { /* the next look may succeed */ }
    setTimeout(look, 1000);
  };
  setTimeout(look, 700);
}
