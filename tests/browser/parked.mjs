// The page of parked messages as a supervisor uses it, and how its messages come to be.

export class ParkedPage {
  constructor(desk, mesh) {
    Object.assign(this, { desk, mesh });
  }

  open = () => this.desk.id("nav-parked").click();
  /** The count of the navigation. */
  shows = (count) => this.desk.id("parked-count").getByText(String(count), { exact: true }).waitFor();
  /** The groups of a code; those of one account when its label is said. */
  cause = (code, label = "") =>
    this.desk.page.locator(`[data-code=${code}]`).filter({ has: this.desk.id("parked-cause"), hasText: label });
  inState = (state) => this.desk.page.locator(`[data-testid=parked-state][data-state=${state}]`).waitFor();
  dialog = () => this.desk.page.getByRole("dialog");

  /** Opens a cause; nothing when it is open. */
  async expand(code, label) {
    const head = this.cause(code, label).getByTestId("parked-cause");
    if ((await head.getAttribute("aria-expanded")) === "false") await head.click();
    await this.cause(code, label).getByTestId("parked-row").first().waitFor();
  }

  /** Opens a cause and the first of its messages. */
  async first(code, label) {
    await this.expand(code, label);
    await this.cause(code, label).getByTestId("parked-row").first().click();
    await this.inState("waiting");
  }

  /** All that wait, each with its decisions, as the desk answers a program: what the page shows is held against it. */
  async kept() {
    const { url, email, password } = this.mesh;
    const get = async (path) => (await fetch(`${url}/api/v1${path}`, { headers: { authorization: `Bearer ${this.token}` } })).json();
    if (this.token === undefined) {
      const headers = { "content-type": "application/json" };
      const session = await fetch(`${url}/api/v1/sessions`, { method: "POST", headers, body: JSON.stringify({ email, password }) });
      this.token = (await session.json()).token;
    }
    const { items } = await get("/parked?state=waiting&limit=200");
    return Promise.all(items.map(({ id }) => get(`/parked/${encodeURIComponent(id)}`)));
  }

  /** A reply of this desk whose answer the provider never gives. */
  async doubtful(address, name, text) {
    const customer = this.mesh.phone("whatsapp", address, name);
    await customer.writes("oi");
    await this.desk.id("channel-all").click();
    await this.desk.take(name);
    await this.mesh.faults({ gupshup: { hang_next: 1, hang_ms: 20 } });
    await this.desk.reply(text);
    await this.desk.inState(text, "parked");
    return customer;
  }
}
