// Looks a prescription up as a pharmacist, without generated code: node lookup.mjs descriptors.binpb RX-…
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const [descriptors, number, address = "127.0.0.1:50051"] = process.argv.slice(2);
const { medconnect } = grpc.loadPackageDefinition(loader.loadFileDescriptorSetFromBuffer(readFileSync(descriptors)));
const plain = grpc.credentials.createInsecure();
const auth = new medconnect.auth.v1.AuthService(address, plain);
const pharmacy = new medconnect.pharmacy.v1.PharmacyService(address, plain);

auth.login({ email: "pharmacist@example.org", password: "example-only-7Qd2" }, (failed, session) => {
  if (failed) throw failed;
  const metadata = new grpc.Metadata();
  metadata.set("authorization", `Bearer ${session.access_token}`);
  metadata.set("idempotency-key", randomUUID());
  pharmacy.lookupPrescriptions({ reference_number: number }, metadata, (refused, found) => {
    if (refused) return console.error(refused.code, refused.details);
    for (const { prescription } of found.prescriptions)
      console.log(prescription.prescription_number, prescription.patient_name);
  });
});
