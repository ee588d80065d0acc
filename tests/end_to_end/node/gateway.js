// A gateway in another language: a plain REQ socket and JSON, nothing of riskd's.
// Reads [[port, message], ...] as JSON from its input; writes the answers as a JSON list.
// Usage: node gateway.js ORDERS_ADDRESS CONTROL_ADDRESS

const zmq = require("zeromq");
const fs = require("fs");

const RECEIVE_MS_MAX = 20000;

async function main() {
  const [orders, control] = process.argv.slice(2);
  const addresses = { orders, control };
  const sockets = {};
  for (const [port, address] of Object.entries(addresses)) {
    sockets[port] = new zmq.Request({ linger: 0, receiveTimeout: RECEIVE_MS_MAX });
    sockets[port].connect(address);
  }
  const answers = [];
  for (const [port, message] of JSON.parse(fs.readFileSync(0, "utf8"))) {
    const payload = typeof message === "string" ? message : JSON.stringify(message);
    await sockets[port].send(payload);
    const frames = await sockets[port].receive();
    if (frames.length !== 1) throw new Error(`${frames.length} frames in an answer`);
    answers.push(JSON.parse(frames[0].toString()));
  }
  for (const socket of Object.values(sockets)) socket.close();
  process.stdout.write(JSON.stringify(answers));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
