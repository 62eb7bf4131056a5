// Reads what Weir would send to vendors of alerts, one request a line as {"kind", "url", "body"}, and says what their
// own code and types find wrong with it, each beginning with the number of the line.
const fs = require('fs');
const path = require('path');
const { spawnSync } = require('child_process');
const { isDeepStrictEqual } = require('util');
const cards = require('adaptivecards');
const { parse } = require('@rocket.chat/message-parser');

const requests = fs.readFileSync(0, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
const complain = (i, what) => console.log(i + 1, requests[i].kind, what);

// A card is read by Microsoft's reader, and written again: what it does not know is gone then.
function msteams(i, body) {
  const { msteams, ...card } = body.attachments[0].content;
  const context = new cards.SerializationContext(cards.Versions.v1_4);
  const read = new cards.AdaptiveCard();
  read.parse(card, context);
  for (let e = 0; e < context.eventCount; e++) complain(i, context.getEventAt(e).message);
  for (const e of read.validateProperties().validationEvents) complain(i, e.message);
  const written = JSON.parse(JSON.stringify(read.toJSON(new cards.SerializationContext(cards.Versions.v1_4))));
  if (!isDeepStrictEqual(written, card)) complain(i, 'the card is not what its reader makes of it');
}

// Texts are read by Rocket.Chat's reader, in which nothing may be more than words.
function rocket(i, body) {
  const plain = ['PARAGRAPH', 'PLAIN_TEXT', 'LINE_BREAK', 'UNORDERED_LIST', 'ORDERED_LIST', 'LIST_ITEM', 'EMOJI'];
  const look = (node, links) => {
    if (Array.isArray(node)) return node.forEach((n) => look(n, links));
    if (!node || typeof node !== 'object') return;
    if (node.type === 'LINK') {
      const label = [node.value.label].flat().map((l) => l.value).join('');
      if (!links && !node.value.src.value.endsWith(label)) complain(i, `a link that says ${label}`);
      return;
    }
    if (node.type && !plain.includes(node.type)) complain(i, `${node.type} is formatted: ${JSON.stringify(node.value)}`);
    look(node.value, links);
  };
  look(parse(body.text), false);
  for (const a of body.attachments) {
    look(parse(a.text), false);
    for (const f of a.fields || []) look(parse(f.value), f.title === 'Links');
  }
}

// What types say is found by writing a program with the values in it.
const program = [
  "import type { KnownBlock } from '@slack/types';",
  "import type { ChatPostMessageArguments } from '@slack/web-api';",
  "import type { IncomingWebhookSendArguments } from '@slack/webhook';",
  "import type { RESTPostAPIWebhookWithTokenJSONBody } from 'discord-api-types/v10';",
];
const typed = (type, i, value) => program.push(`export const line${i + 1}_${program.length}: ${type} = ${JSON.stringify(value)};`);

requests.forEach(({ kind, body }, i) => {
  switch (kind) {
    case 'msteams': return msteams(i, body);
    case 'rocket': return rocket(i, body);
    case 'discord': return typed('RESTPostAPIWebhookWithTokenJSONBody', i, body);
    case 'slack': typed('IncomingWebhookSendArguments', i, body); break;
    case 'slack/bot': typed('ChatPostMessageArguments', i, body); break;
    default: return complain(i, 'nothing is known of it');
  }
  typed('KnownBlock[]', i, body.blocks);
  typed('KnownBlock[]', i, body.attachments[0].blocks);
});
const source = path.join(__dirname, 'typed.ts');
fs.writeFileSync(source, program.join('\n'));
const compiled = spawnSync(process.execPath, [require.resolve('typescript/package.json').replace('package.json', 'bin/tsc'),
  '--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--moduleResolution', 'nodenext', source], { encoding: 'utf8' });
for (const said of (compiled.stdout + compiled.stderr).split('\n').filter((l) => /error/i.test(l))) {
  const at = /\((\d+),/.exec(said);
  const line = at && /line(\d+)_/.exec(program[Number(at[1]) - 1]);
  if (line) complain(Number(line[1]) - 1, said.replace(/^.*?error/, 'error'));
  else console.log(0, said);
}
if (compiled.status !== 0 && !compiled.stdout) console.log(0, compiled.stderr || 'the compiler fails');
