'use strict';
// What the etcd3 client of npm does: keys, transactions, watches, leases, locks, elections, maintenance.
const assert = require('assert');
const { Etcd3, STMConflictError, EtcdLockFailedError } = require('etcd3');

const client = new Etcd3({ hosts: process.argv[2].split(',') });
const soon = (ms) => new Promise((done) => setTimeout(done, ms));
const once = (emitter, event) => new Promise((done) => emitter.once(event, done));

async function keys() {
  await client.put('key').value('1');
  assert.strictEqual(await client.get('key').string(), '1');
  assert.strictEqual(await client.get('none'), null);
  for (let i = 0; i < 10; i++) await client.put(`many/${i}`).value(`${i}`);
  const all = await client.getAll().prefix('many/').sort('Key', 'Descend').limit(3).strings();
  assert.deepStrictEqual(all, { 'many/9': '9', 'many/8': '8', 'many/7': '7' });
  assert.strictEqual(await client.getAll().prefix('many/').count(), 10);
  const gone = await client.delete().prefix('many/');
  assert.strictEqual(gone.deleted, '10');
  await assert.rejects(client.put('').value('x'), /key is not provided/);
}

async function transactions() {
  await client.put('t').value('old');
  const won = await client.if('t', 'Value', '==', 'old').and('t', 'Version', '>', 0)
    .then(client.put('t').value('new'), client.get('t')).else(client.get('t')).commit();
  assert.strictEqual(won.succeeded, true);
  assert.strictEqual(won.responses[1].response_range.kvs[0].value.toString(), 'new');
  const lost = await client.if('t', 'Value', '==', 'old').then(client.delete().key('t')).else(client.get('t')).commit();
  assert.strictEqual(lost.succeeded, false);

  await client.put('sum').value('0');
  const raise = () => client.stm({ retries: 100 }).transact(async (tx) => {
    const before = await tx.get('sum').number();
    await tx.put('sum').value(before + 1);
  });
  await Promise.all(Array.from({ length: 20 }, raise));
  assert.strictEqual(await client.get('sum').number(), 20);
  await assert.rejects(client.stm({ retries: 0 }).transact(async (tx) => {
    await tx.get('sum').string();
    await client.put('sum').value('99');
    await tx.put('sum').value('0');
  }), STMConflictError);
}

async function watches() {
  const watcher = await client.watch().prefix('w/').withPreviousKV().create();
  const put = once(watcher, 'put');
  await client.put('w/a').value('1');
  const event = await put;
  assert.deepStrictEqual([event.key.toString(), event.value.toString()], ['w/a', '1']);
  const gone = once(watcher, 'delete');
  await client.delete().key('w/a');
  assert.strictEqual((await gone).key.toString(), 'w/a');
  await watcher.cancel();
  const past = await client.watch().key('w/a').startRevision(event.mod_revision).create();
  assert.strictEqual((await once(past, 'put')).value.toString(), '1');
  await past.cancel();
}

async function leases() {
  const lease = client.lease(10);
  await lease.put('leased').value('v');
  const id = await lease.grant();
  assert.strictEqual((await client.leaseClient.leaseTimeToLive({ ID: id, keys: true })).keys[0].toString(), 'leased');
  await lease.keepaliveOnce();
  await lease.revoke();
  assert.strictEqual(await client.get('leased'), null);
  const lost = client.lease(30);
  const told = once(lost, 'lost');
  await client.leaseClient.leaseRevoke({ ID: await lost.grant() });
  await lost.keepaliveOnce().catch(() => undefined);
  await told;
}

async function locks() {
  const held = await client.lock('lock').ttl(10).acquire();
  await assert.rejects(client.lock('lock').acquire(), EtcdLockFailedError);
  await held.release();
  await client.lock('lock').do(async () => assert.notStrictEqual(await client.get('lock'), null));
}

async function elections() {
  const election = client.election('election', 10);
  const observer = await election.observe();
  const changes = [];
  observer.on('change', (who) => changes.push(who));
  const first = election.campaign('one');
  await once(first, 'elected');
  assert.strictEqual(await election.leader(), 'one');
  const second = client.election('election', 10).campaign('two');
  const elected = once(second, 'elected');
  await first.proclaim('still one');
  await soon(300);
  await first.resign();
  await elected;
  assert.strictEqual(await election.leader(), 'two');
  for (let i = 0; i < 50 && changes[changes.length - 1] !== 'two'; i++) await soon(100);
  assert.strictEqual(changes[changes.length - 1], 'two');
  await second.resign();
  await observer.cancel();
}

async function maintenance() {
  const status = await client.maintenance.status();
  assert.strictEqual(status.version, '3.5.21');
  assert.deepStrictEqual((await client.maintenance.alarm({ action: 'Get' })).alarms, []);
  assert.strictEqual((await client.cluster.memberList({})).members.length, 3);
  await client.maintenance.defragment();
  assert.ok((await client.maintenance.hash()).hash > 0);
}

(async () => {
  for (const part of [keys, transactions, watches, leases, locks, elections, maintenance]) {
    await part();
    console.log(`${part.name}: good`);
  }
  client.close();
})().catch((why) => {
  console.error(why);
  process.exit(1);
});
