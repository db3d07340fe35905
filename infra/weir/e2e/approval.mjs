// Invites a second person, proposes a change that needs another one, and has the second person approve it:
// node approval.mjs CHROMIUM URL EMAIL PASSWORD
// A policy of the organization asks for another person for every destination of acme, which has hook.
import { findings, launch, press, signIn } from "./session.mjs";

const [executablePath, url, email, password] = process.argv.slice(2);
const { trouble, person, finish } = await launch(executablePath);
const ann = await person();
const ben = await person();
const look = async (page, where) => trouble.push(...(await findings(page)).map((f) => `${where}: ${f}`));
const heading = (page, name) => page.getByRole("heading", { level: 1, name, exact: true }).waitFor();

await signIn(ann, url, email, password);
await ann.goto(`${url}/members`);
await press(ann, "Invite");
await ann.getByLabel("E-mail address").fill("ben@acme.example");
await ann.getByLabel("Role").selectOption("admin");
await press(ann, "Make the invitation");
const link = await ann.getByText(/\/invitations\/accept#/).textContent();

await ben.goto(link.trim());
await ben.getByLabel("Password").fill("a password of ben's own");
await press(ben, "Accept");
await heading(ben, "acme");

// What ann changes is not published: it says that it needs another person, and waits.
await ann.goto(`${url}/workspaces/acme/destinations/hook?tab=settings`);
await ann.getByLabel("Name", { exact: true }).fill("billing");
await press(ann, "Add to the draft");
await ann.getByRole("link", { name: "Review", exact: true }).click(); // is there when the draft is kept
await ann.getByText("It needs another person.").waitFor();
await ann.getByLabel(/^Why/).fill("the bills moved");
await press(ann, "Ask for approval");
await ann.getByText("Another person who may approve changes here decides about it.").waitFor();
await look(ann, "the own change");
if (await ann.getByRole("button", { name: "Approve and publish" }).count()) trouble.push("ann may approve her own change");
const address = ann.url();

// Ben finds it by himself, sees what and why, and approves.
await ben.goto(`${url}/changes`);
await heading(ben, "Changes");
const row = ben.getByRole("row", { name: /the bills moved/ });
await row.waitFor();
await look(ben, "changes that wait");
await row.getByRole("link").first().click();
await ben.getByText("It needs another person.").waitFor();
await ben.getByText("the bills moved").first().waitFor();
await look(ben, "the change of another one");
await ben.getByLabel("What to tell the author").fill("seen");
await press(ben, "Approve and publish");
await ben.getByText(/^Approved by ben@acme\.example: seen/).waitFor();
await ben.getByText(/^Revision 2 runs on /).waitFor();

// Ann sees who decided, and the object has its new name.
await ann.goto(address);
await ann.getByText(/^Approved by ben@acme\.example: seen/).waitFor();
await ann.goto(`${url}/workspaces/acme/destinations`);
await ann.getByRole("link", { name: "billing", exact: true }).waitFor();
await finish();
