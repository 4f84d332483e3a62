/**
 * Every page: its address after `#`, its title, the roles that may open it, and the module whose default export opens it.
 *
 * roles: without it the page is public. nav: the page's name in the navigation.
 */

const everyRole = ["patient", "doctor", "pharmacist", "admin"];

export const routes = [
  { path: "/sign-in", title: "Sign in", module: "account/sign_in.js" },
  { path: "/register", title: "Create an account", module: "account/register.js" },
  { path: "/set-password", title: "Set a password", module: "account/set_password.js" },
  { path: "/undo-email-change/:token", title: "Undo a change of address", module: "account/undo_email_change.js" },
  { path: "/account", title: "Your account", module: "account/account.js", roles: everyRole },
  { path: "/members/:id", title: "Members", module: "pharmacist/members.js", roles: ["doctor", "pharmacist"] },

  { path: "/prescriptions", title: "Your prescriptions", nav: "Prescriptions", module: "patient/prescriptions.js", roles: ["patient"] },
  { path: "/prescriptions/:id", title: "Prescription", module: "patient/prescription.js", roles: ["patient"] },
  { path: "/history", title: "Medical history", nav: "History", module: "patient/history.js", roles: ["patient"] },
  { path: "/access-log", title: "Who saw your record", nav: "Access log", module: "patient/access_log.js", roles: ["patient"] },
  { path: "/profile", title: "Your record", nav: "Record", module: "patient/profile.js", roles: ["patient"] },

  { path: "/patients", title: "Patients", nav: "Patients", module: "doctor/patients.js", roles: ["doctor"] },
  { path: "/patients/new", title: "New patient", module: "doctor/new_patient.js", roles: ["doctor"] },
  { path: "/patients/:id", title: "Patient", module: "doctor/patient.js", roles: ["doctor"] },
  { path: "/patients/:id/edit", title: "Edit record", module: "doctor/edit_patient.js", roles: ["doctor"] },
  { path: "/patients/:id/email", title: "Email address", module: "doctor/email_address.js", roles: ["doctor"] },
  { path: "/patients/:id/history", title: "Medical history", module: "doctor/history.js", roles: ["doctor"] },
  { path: "/patients/:id/versions", title: "Changes of the record", module: "doctor/record_versions.js", roles: ["doctor"] },
  { path: "/patients/:id/visit", title: "New visit", module: "doctor/new_visit.js", roles: ["doctor"] },
  { path: "/patients/:id/prescribe", title: "New prescription", module: "doctor/new_prescription.js", roles: ["doctor"] },
  { path: "/prescriptions", title: "Your prescriptions", nav: "Prescriptions", module: "doctor/prescriptions.js", roles: ["doctor"] },
  { path: "/prescriptions/:id", title: "Prescription", module: "doctor/prescription.js", roles: ["doctor"] },
  { path: "/visits", title: "Your visits", nav: "Visits", module: "doctor/visits.js", roles: ["doctor"] },

  { path: "/counter", title: "Counter", nav: "Counter", module: "pharmacist/counter.js", roles: ["pharmacist"] },
  { path: "/counter/:number", title: "Prescription", module: "pharmacist/prescription.js", roles: ["pharmacist"] },
  { path: "/dispensed", title: "Your pharmacy's history", nav: "History", module: "pharmacist/history.js", roles: ["pharmacist"] },
  { path: "/dispensed/:id", title: "Pharmacy log", module: "pharmacist/log.js", roles: ["pharmacist"] },
  { path: "/receipt/:id", title: "Receipt", module: "pharmacist/receipt.js", roles: ["pharmacist"] },

  { path: "/accounts", title: "Accounts", nav: "Accounts", module: "admin/accounts.js", roles: ["admin"] },
  { path: "/accounts/new", title: "New account", module: "admin/new_account.js", roles: ["admin"] },
  { path: "/accounts/:id/sessions", title: "Sessions", module: "admin/sessions.js", roles: ["admin"] },
  { path: "/organisations", title: "Organisations", nav: "Organisations", module: "admin/organisations.js", roles: ["admin"] },
  { path: "/organisations/:id", title: "Organisation", module: "admin/organisation.js", roles: ["admin"] },
  { path: "/emails", title: "Emails", nav: "Emails", module: "admin/emails.js", roles: ["admin"] },
  { path: "/audit", title: "Audit", nav: "Audit", module: "admin/audit.js", roles: ["admin"] },
  { path: "/limits", title: "Rate limits", nav: "Limits", module: "admin/limits.js", roles: ["admin"] },
];

/** Returns the route and parameters of an address such as `/patients/17` for a user; undefined if there is none. */
export function find(address, user) {
  for (const route of routes) {
    const params = match(route.path, address);
    if (params && (!route.roles || route.roles.includes(user?.role))) return { route, params };
  }
  return undefined;
}

/** Returns true if any user has a page at the address. */
export function exists(address) {
  return routes.some((route) => match(route.path, address));
}

/** Returns the address of a user's first page. */
export function home(user) {
  return user ? routes.find((route) => route.nav && route.roles.includes(user.role)).path : "/sign-in";
}

function match(path, address) {
  const names = path.split("/");
  const given = address.split("/");
  if (names.length !== given.length) return undefined;
  const params = {};
  for (const [position, name] of names.entries()) {
    if (name.startsWith(":") && given[position]) params[name.slice(1)] = decodeURIComponent(given[position]);
    else if (name !== given[position]) return undefined;
  }
  return params;
}
