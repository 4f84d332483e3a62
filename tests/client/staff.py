"""Clients of members of staff on a whole instance."""

from dataclasses import replace
from uuid import UUID

from medconnect_client import Client, models

from tests.fixtures.actors import PASSWORD, new_email
from tests.fixtures.instance import RunningInstance

STAFF = {
    models.Role.DOCTOR: models.AccountDetails(
        email="", full_name="Dora Doctor", role=models.Role.DOCTOR, password=PASSWORD, license_number="MD-1"
    ),
    models.Role.PHARMACIST: models.AccountDetails(
        email="",
        full_name="Fred Pharmacist",
        role=models.Role.PHARMACIST,
        password=PASSWORD,
        license_number="PH-1",
        pharmacy_name="Corner Pharmacy",
    ),
}


def hired(admin: Client, instance: RunningInstance, role: models.Role, pharmacy_name: str = "") -> Client:
    staff = STAFF[role]
    account = replace(staff, email=new_email(), pharmacy_name=pharmacy_name or staff.pharmacy_name)
    client = Client(instance.grpc)
    made = admin.auth.create_user(account)
    if made.user.status is models.UserStatus.UNVERIFIED:  # a test has added another admin
        instance.run(instance.services.accounts.verify(UUID(made.user.id)))
    assert client.sign_in(account.email, PASSWORD) == replace(made.user, status=models.UserStatus.ACTIVE)
    return client
