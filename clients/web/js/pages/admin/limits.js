import { read } from "../../api.js";
import { asFailure } from "../../http.js";
import { html, moment, nothing, problem } from "../../view.js";

const REFRESH_S = 15;

export default async function open(page) {
  const fetchIt = () => read("/events/rate-limits", {}, page.signal);
  let usage = await fetchIt();
  let failure = null;
  page.every(REFRESH_S, async () => {
    try {
      usage = await fetchIt();
      failure = null;
    } catch (thrown) {
      failure = asFailure(thrown);
    }
    page.update();
  });
  page.show(() => html`
    ${failure ? problem(failure) : nothing}
    <p>Counted since ${moment(usage.countedSince)}, by the server process that handled this request. This page refreshes every ${REFRESH_S} seconds.</p>
    <section class="card">${limits(usage.limits)}</section>
    <section class="card">${fullest(usage.fullestBuckets)}</section>`);
}

// The columns that admins look for come first, because narrow screens show only the first ones.
function limits(rows) {
  return table("Limits", ["Limit", "Refused", "Allowed", "Calls"], rows.map((limit) => html`<tr>
    <th scope="row"><code>${limit.name}</code></th>
    <td class="right">${limit.refused ? html`<strong>${limit.refused}</strong>` : 0}</td>
    <td class="right">${limit.allowed}</td>
    <td class="right">${limit.tokens} / ${period(limit.periodSeconds)}</td>
  </tr>`));
}

function fullest(rows) {
  if (!rows.length) return html`<p class="quiet">No caller is near a limit.</p>`;
  return table("Fullest buckets", ["Limit", "Used", "Full again", "Owner"], rows.map((bucket) => html`<tr>
    <th scope="row"><code>${bucket.limit}</code></th>
    <td class="right">${bucket.usedPercent} %</td>
    <td class="right">${moment(bucket.fullAt)}</td>
    <td class="right"><code>${bucket.key}</code></td>
  </tr>`));
}

function table(caption, [first, ...others], rows) {
  return html`<div class="table" tabindex="0" role="region" aria-label=${caption}><table>
    <caption>${caption}</caption>
    <thead><tr>
      <th scope="col">${first}</th>
      ${others.map((name) => html`<th scope="col" class="right">${name}</th>`)}
    </tr></thead>
    <tbody>${rows}</tbody>
  </table></div>`;
}

function period(seconds) {
  if (seconds % 3600 === 0) return seconds === 3600 ? "h" : `${seconds / 3600} h`;
  if (seconds % 60 === 0) return seconds === 60 ? "min" : `${seconds / 60} min`;
  return `${seconds} s`;
}
