"""The client of members of staff against a whole instance: second factors and organisations."""

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from medconnect_client import Client, errors, models

from server.auth.rules.second_factors import code_at, step_at
from tests.client.staff import STAFF, hired
from tests.fixtures.actors import PASSWORD, new_email
from tests.fixtures.instance import RunningInstance
from tests.fixtures.proofs import control


@control("S99")
def test_second_factor_from_enrolment_to_reset(admin: Client, instance: RunningInstance) -> None:
    account = replace(STAFF[models.Role.DOCTOR], email=new_email(), password=PASSWORD)
    made = admin.auth.create_user(account)
    with Client(instance.grpc) as client:
        client.sign_in(account.email, PASSWORD)
        new = client.second_factors.enrol_totp(PASSWORD, label="Phone")
        assert (new.uri[:15], new.qr_image[:22]) == ("otpauth://totp/", "data:image/png;base64,")
        code = code_at(base64.b32decode(new.secret), step_at(datetime.now(UTC)))
        confirmed = client.second_factors.confirm_totp(new.factor_id, code)
        found = client.second_factors.current()
        assert (found.factors, found.recovery_codes_left) == ((confirmed.factor,), 10)
        with pytest.raises(errors.SecondFactorRequired) as required:
            client.sign_in(account.email, PASSWORD)
        with pytest.raises(errors.SecondFactorInvalid):
            client.complete_sign_in(required.value.challenge, code)
        assert client.complete_sign_in(required.value.challenge, confirmed.recovery_codes[0]) == made.user
        with pytest.raises(errors.Unauthenticated):
            client.complete_sign_in(required.value.challenge, confirmed.recovery_codes[1])
        assert client.second_factors.verify(confirmed.recovery_codes[1]) > datetime.now(UTC)
        assert len(client.second_factors.renew_recovery_codes()) == 10
        client.second_factors.remove(confirmed.factor.id)
        assert admin.second_factors.reset(made.user.id, allow_password_reset=True) >= 1
        with pytest.raises(errors.Unauthenticated):
            client.auth.current_user()


def test_organisation_from_first_member_to_closing(admin: Client, instance: RunningInstance) -> None:
    new = models.NewOrganisation(models.OrganisationKind.PHARMACY, f"Harbour {new_email()}")
    made = admin.organisations.create(new)
    assert list(admin.organisations.list(search=new.name.upper())) == [made]
    with hired(admin, instance, models.Role.PHARMACIST, new.name) as client:
        assert [(own.organisation, own.current) for own in client.organisations.own()] == [(made, True)]
        second = admin.organisations.create(replace(new, address="Quay 2"))
        user = client.auth.current_user()
        added = admin.organisations.add_member(second.id, user.email, models.MemberRight.ADMINISTRATOR)
        assert client.organisations.choose(second.id).current
        assert [one.current for one in client.organisations.own()] == [False, True]
        assert list(client.organisations.members(second.id)) == [added]
        with pytest.raises(errors.NotFound):
            client.organisations.get(made.id)
        client.organisations.change_right(second.id, user.id, models.MemberRight.MEMBER)
        with pytest.raises(errors.AlreadyExists):
            admin.organisations.update(second.id, models.OrganisationChanges(phone="+49 40 1234", clear=("address",)))
        assert admin.organisations.end_membership(second.id, user.id) >= 1
        with pytest.raises(errors.Unauthenticated):
            client.organisations.own()
    assert admin.organisations.close(made.id).closed_at
