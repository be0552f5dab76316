"use strict";

const state = document.getElementById("state");
const code = location.hash.slice(1);
const NEW_LINK = "Get a new link with: clawatch login";

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
  state.textContent = `${error}. ${NEW_LINK}`;
}

if (code) {
  logIn().catch(() => {
    state.textContent = "ClaWatch did not answer. Is it running?";
  });
} else {
  state.textContent = `This page needs a login link. ${NEW_LINK}`;
}
