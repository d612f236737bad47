// Starts the page: the models of the service, and the key if it asks for one.
import { clear, element, show } from "./elements.js";
import { addLiveModels } from "./live.js";
import { PageError, onMissingKey, request, useKey } from "./service.js";
import { addModels } from "./upload.js";

async function loadModels() {
  const { data: models } = await request("v1/models");
  addModels(models);
  addLiveModels(models.filter(({ kind }) => kind === "stream"));
}

async function load() {
  try {
    await loadModels();
    clear("service-message");
    element("key-form").hidden = true;
  } catch (error) {
    if (!(error instanceof PageError)) throw error;
    if (element("key-form").hidden) show("service-message", error.message);
  }
}

onMissingKey((sentence) => {
  show("service-message", sentence);
  element("key-form").hidden = false;
  element("key").value = "";
  element("key").focus();
});
element("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  try {
    useKey(element("key").value.trim());
  } catch (error) {
    if (!(error instanceof PageError)) throw error;
    show("service-message", error.message);
    return;
  }
  load();
});
load();
