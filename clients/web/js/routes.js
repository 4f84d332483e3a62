/**
 * Every page: its address behind `#`, its title, who sees it, and the module whose default export opens it.
 *
 * roles: absent, everybody, signed in or not. nav: the word that stands for it in the navigation.
 */

const everybodySignedIn = ["patient", "doctor", "pharmacist", "admin"];

export const routes = [
  { path: "/sign-in", title: "Sign in", module: "account/sign_in.js" },
  { path: "/register", title: "Make an account", module: "account/register.js" },
  { path: "/set-password", title: "Set a password", module: "account/set_password.js" },
  { path: "/account", title: "Your account", module: "account/account.js", roles: everybodySignedIn },

  { path: "/prescriptions", title: "Your prescriptions", nav: "Prescriptions", module: "patient/prescriptions.js", roles: ["patient"] },
  { path: "/prescriptions/:id", title: "Prescription", module: "patient/prescription.js", roles: ["patient"] },
  { path: "/history", title: "Medical history", nav: "History", module: "patient/history.js", roles: ["patient"] },
  { path: "/access-log", title: "Who saw your record", nav: "Who saw it", module: "patient/access_log.js", roles: ["patient"] },
  { path: "/profile", title: "Your record", nav: "Record", module: "patient/profile.js", roles: ["patient"] },

  { path: "/patients", title: "Patients", nav: "Patients", module: "doctor/patients.js", roles: ["doctor"] },
  { path: "/patients/new", title: "New patient", module: "doctor/new_patient.js", roles: ["doctor"] },
  { path: "/patients/:id", title: "Patient", module: "doctor/patient.js", roles: ["doctor"] },
  { path: "/patients/:id/edit", title: "Change the record", module: "doctor/edit_patient.js", roles: ["doctor"] },
  { path: "/patients/:id/history", title: "Medical history", module: "doctor/history.js", roles: ["doctor"] },
  { path: "/patients/:id/visit", title: "New visit", module: "doctor/new_visit.js", roles: ["doctor"] },
  { path: "/patients/:id/prescribe", title: "New prescription", module: "doctor/new_prescription.js", roles: ["doctor"] },
  { path: "/prescriptions", title: "Your prescriptions", nav: "Prescriptions", module: "doctor/prescriptions.js", roles: ["doctor"] },
  { path: "/prescriptions/:id", title: "Prescription", module: "doctor/prescription.js", roles: ["doctor"] },
  { path: "/visits", title: "Your visits", nav: "Visits", module: "doctor/visits.js", roles: ["doctor"] },

  { path: "/counter", title: "Counter", nav: "Counter", module: "pharmacist/counter.js", roles: ["pharmacist"] },
  { path: "/counter/:number", title: "Prescription", module: "pharmacist/prescription.js", roles: ["pharmacist"] },
  { path: "/dispensed", title: "What you did", nav: "History", module: "pharmacist/history.js", roles: ["pharmacist"] },
  { path: "/dispensed/:id", title: "What happened to it", module: "pharmacist/log.js", roles: ["pharmacist"] },
  { path: "/receipt/:id", title: "Receipt", module: "pharmacist/receipt.js", roles: ["pharmacist"] },

  { path: "/accounts", title: "Accounts", nav: "Accounts", module: "admin/accounts.js", roles: ["admin"] },
  { path: "/accounts/new", title: "New account", module: "admin/new_account.js", roles: ["admin"] },
  { path: "/mails", title: "Mails", nav: "Mails", module: "admin/mails.js", roles: ["admin"] },
  { path: "/audit", title: "Audit", nav: "Audit", module: "admin/audit.js", roles: ["admin"] },
  { path: "/limits", title: "Rate limits", nav: "Limits", module: "admin/limits.js", roles: ["admin"] },
];

/** The route and its parameters for an address such as `/patients/17`, as that user sees them; undefined for none. */
export function find(address, user) {
  for (const route of routes) {
    const params = match(route.path, address);
    if (params && (!route.roles || route.roles.includes(user?.role))) return { route, params };
  }
  return undefined;
}

/** Whether anybody has a page there. */
export function exists(address) {
  return routes.some((route) => match(route.path, address));
}

/** Where a user begins. */
export function home(user) {
  return user ? routes.find((route) => route.nav && route.roles.includes(user.role)).path : "/sign-in";
}

function match(path, address) {
  const names = path.split("/");
  const given = address.split("/");
  if (names.length !== given.length) return undefined;
  const params = {};
  for (const [place, name] of names.entries()) {
    if (name.startsWith(":") && given[place]) params[name.slice(1)] = decodeURIComponent(given[place]);
    else if (name !== given[place]) return undefined;
  }
  return params;
}
