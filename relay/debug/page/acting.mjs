// An act from the button to what came of it: a dry run first, then the person's word.

import { act as ask } from "./api.mjs";
import { settle } from "./dom.mjs";
import { failureSays } from "./pure/acts.mjs";
import { actDialog } from "./views/dialog.mjs";

/** One act at a time. `done()` is told after each that was tried; `refused(error)` of a 401. */
export class Acting {
  #place = document.getElementById("dialogs");
  #proposal = null;
  #from = null;
  #done;
  #refused;

  constructor({ done, refused }) {
    this.#done = done;
    this.#refused = refused;
  }

  /** Open the dialog and find out what the act would do. */
  async propose(act) {
    this.#from = document.activeElement;
    const proposal = {
      act,
      preview: null,
      answer: null,
      error: null,
      typed: "",
      reason: "",
      isBusy: false,
    };
    this.#proposal = proposal;
    this.#draw();
    await this.#try(proposal, async () => {
      proposal.preview = await ask(act.path, {
        isDry: true,
        reason: act.asksWhy ? "preview" : null,
      });
    });
    document.getElementById("act-reason")?.focus();
    document.getElementById("act-name")?.focus();
  }

  async #confirm() {
    const proposal = this.#proposal;
    proposal.isBusy = true;
    this.#draw();
    await this.#try(proposal, async () => {
      proposal.answer = await ask(proposal.act.path, {
        reason: proposal.act.asksWhy ? proposal.reason.trim() : null,
      });
    });
    document.getElementById("act-close")?.focus();
    this.#done();
  }

  async #try(proposal, work) {
    try {
      await work();
    } catch (error) {
      if (error.status === 401) {
        this.#dismiss();
        this.#refused(error);
        return;
      }
      proposal.error = failureSays(error, proposal.preview === null);
    }
    proposal.isBusy = false;
    // Who has closed it meanwhile does not get it back.
    if (this.#proposal === proposal) this.#draw();
  }

  #dismiss() {
    document.getElementById("act")?.close();
    settle(this.#place, []);
    this.#proposal = null;
    if (this.#from?.isConnected) this.#from.focus();
  }

  #draw() {
    settle(
      this.#place,
      actDialog(this.#proposal, {
        dismiss: () => this.#dismiss(),
        confirm: () => this.#confirm(),
        fill: (change) => {
          Object.assign(this.#proposal, change);
          this.#draw();
        },
      }),
    );
    const dialog = document.getElementById("act");
    if (!dialog.open) dialog.showModal();
  }
}
