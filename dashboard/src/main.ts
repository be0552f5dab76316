import "./app.css";
import { mount } from "svelte";
import App from "./App.svelte";
import { wantedBeforeLogin } from "./lib/api";
import { fleet } from "./lib/fleet.svelte";
import { router } from "./lib/router.svelte";
import { appearance } from "./lib/theme.svelte";

appearance.start();
router.start();
const wanted = location.pathname === "/" ? wantedBeforeLogin() : null;
if (wanted !== null) router.replace(wanted);
fleet.start();
mount(App, { target: document.getElementById("app")! });
