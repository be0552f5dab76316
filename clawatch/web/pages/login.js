"use strict";

const state = document.getElementById("state");
const code = location.hash.slice(1);

function refuse(words) {
  state.textContent = words;
  document.getElementById("remedy").hidden = false;
}

async function logIn() {
  // The code must not stay in the address bar or the history.
  history.replaceState(null, "", "/login");
  const answer = await fetch("/api/auth/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ code }),
  });
  if (answer.ok) {
    location.replace("/");
    return;
  }
  const { error } = await answer.json();
  refuse(`${error}.`);
}

if (code) {
  logIn().catch(() => {
    state.textContent = "ClaWatch did not answer. Is it running?";
  });
} else {
  refuse("This page needs a login link.");
}
