// Logs in and approves in headless Chromium, and prints the URL on which the browser lands.
// node login.mjs AUTHORIZE_URL USERNAME PASSWORD CALLBACK_PORT
import http from 'node:http';
import { chromium } from 'playwright-core';

const [authorize, username, password, port] = process.argv.slice(2);
const landed = new Promise((resolve) => {
  http
    .createServer((request, response) => {
      response.end('done');
      if (request.url.startsWith('/callback')) resolve(request.url);
    })
    .listen(Number(port), '127.0.0.1');
});
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
try {
  const page = await browser.newPage();
  await page.goto(authorize);
  await page.fill('input[name=username]', username);
  await page.fill('input[name=pw]', password);
  await page.click('form [type=submit]');
  await page.click('[name=save]');
  console.log(await landed);
} finally {
  await browser.close();
  process.exit(0);
}
