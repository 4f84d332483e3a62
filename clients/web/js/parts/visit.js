/** Renders medical visits. */

import { block, calendarDay, definitionList, html, label, nothing } from "../view.js";

const VITAL_SIGNS = [
  ["bloodPressure", "Blood pressure", "mmHg"], ["heartRate", "Heart rate", "/min"], ["temperature", "Temperature", "°C"],
  ["weight", "Weight", "kg"], ["height", "Height", "cm"],
];

/** Renders a visit in a list with all its details. */
export function visitRow(visit, who) {
  return html`<div class="row"><strong>${label(visit.visitType)}: ${visit.chiefComplaint}</strong><span>${calendarDay(visit.visitDate)}</span></div>
    <p class="quiet small">${who}${visit.hospitalName ? html` · ${visit.hospitalName}` : nothing}</p>
    ${definitionList([
      ["Symptoms", block(visit.symptoms)],
      ["Diagnosis", block(visit.diagnosis)],
      ["Treatment", block(visit.treatmentNotes)],
      ["Recommendations", block(visit.recommendations)],
      ...vitalSigns(visit.vitalSigns),
    ])}`;
}

function vitalSigns(signs = {}) {
  return VITAL_SIGNS.filter(([name]) => signs[name] !== undefined).map(([name, text, unit]) => [text, `${signs[name]} ${unit}`]);
}
