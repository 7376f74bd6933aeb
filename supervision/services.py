"""The services of a running process, handed to the web pages, the API and the scheduler's steps."""

from __future__ import annotations

from dataclasses import dataclass

from supervision.access.returns import ReturnService
from supervision.access.service import AccessService
from supervision.accounts.service import AccountsService
from supervision.billing.service import BillingService
from supervision.booking.service import BookingService
from supervision.charging.service import ChargingService
from supervision.clock import Clock
from supervision.csms.adoption import AdoptionService
from supervision.csms.batches import BatchService
from supervision.csms.certificates import CertificateService
from supervision.csms.commands import CommandService
from supervision.csms.configuration import ConfigurationService
from supervision.csms.devices.campaigns import CampaignService
from supervision.csms.devices.files import FileService
from supervision.csms.devices.service import DeviceService
from supervision.csms.directory import DirectoryService
from supervision.csms.journal import JournalService
from supervision.csms.local_list_sync import LocalListService
from supervision.csms.presuming import PresumingService
from supervision.csms.probing import ProbeService
from supervision.csms.registry import Registry
from supervision.csms.relay.service import RelayService
from supervision.csms.review import ReviewService
from supervision.csms.security import SecurityService
from supervision.notify.alerts import AlertService
from supervision.notify.service import NotifyService
from supervision.settings import Settings
from supervision.store.db import Database


@dataclass(frozen=True, kw_only=True)
class Services:
    """One of each."""

    settings: Settings
    clock: Clock
    db: Database
    accounts: AccountsService
    bookings: BookingService
    access: AccessService
    returns: ReturnService
    registry: Registry
    commands: CommandService
    batches: BatchService
    directory: DirectoryService
    journal: JournalService
    devices: DeviceService
    files: FileService
    campaigns: CampaignService
    certificates: CertificateService
    security: SecurityService
    adoption: AdoptionService
    local_lists: LocalListService
    configuration: ConfigurationService
    probes: ProbeService
    relays: RelayService
    presuming: PresumingService
    review: ReviewService
    charging: ChargingService
    billing: BillingService
    notify: NotifyService
    alerts: AlertService
