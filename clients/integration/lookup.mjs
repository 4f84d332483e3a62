import { readFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const set = loader.loadFileDescriptorSetFromBuffer(readFileSync("generated/descriptors.binpb"));
const { medconnect } = grpc.loadPackageDefinition(set);
const address = process.env.MEDCONNECT_ADDRESS ?? "127.0.0.1:50051", plain = grpc.credentials.createInsecure();
const auth = new medconnect.auth.v1.AuthService(address, plain);
const pharmacy = new medconnect.pharmacy.v1.PharmacyService(address, plain);

auth.login({ email: "pharmacist@example.org", password: "example-only-7Qd2" }, (failed, session) => {
  if (failed) throw failed;
  const metadata = new grpc.Metadata();
  metadata.set("authorization", `Bearer ${session.access_token}`);
  metadata.set("idempotency-key", randomUUID());
  pharmacy.lookupPrescriptions({ reference_number: process.argv[2] }, metadata, (error, found) => {
    if (error) return console.error(error.code, error.details);
    for (const { prescription } of found.prescriptions) console.log(prescription.prescription_number, prescription.patient_name);
  });
});
