"""What is read out of netplan's generated files; against netplan itself where it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.underlay.cluster.plugins.module_utils.errors import HostError
from ansible_collections.underlay.cluster.plugins.module_utils.netplan_files import (
    ForeignFile,
    Places,
    VirtualLink,
    own_file,
)
from ansible_collections.underlay.cluster.plugins.module_utils.netplan_generate import (
    NetplanRefusedError,
    generate,
    read_settings,
)
from ansible_collections.underlay.cluster.plugins.module_utils.netplan_staging import (
    Surroundings,
    stage,
    wish,
)
from tests.unit.module_utils.fakes import (
    lcm_file,
    links_file,
    planned,
    put_foreign,
    real_generator,
    run_real_generator,
)

needs_netplan = pytest.mark.skipif(real_generator() is None, reason="netplan is not installed here")

LINKS = """network:
  version: 2
  ethernets:
    enp0s3: {}
    enp0s4: {}
  bonds:
    bond0:
      interfaces: [enp0s3, enp0s4]
      mtu: 9000
      parameters: {mode: 802.3ad}
  bridges:
    br-storage: {interfaces: [bond0.301]}
  vlans:
    bond0.301: {id: 301, link: bond0}
"""


def test_settings_keep_their_section_and_order() -> None:
    text = "# a remark\n[Match]\nName=a\n\n[Network]\nVLAN=a.1\nVLAN = a.2\n"
    assert read_settings(text) == (
        ("Match", "Name", "a"),
        ("Network", "VLAN", "a.1"),
        ("Network", "VLAN", "a.2"),
    )


@needs_netplan
class TestRealNetplan:
    def test_virtual_links_are_read_with_kind_parent_and_fixed_settings(self) -> None:
        file = own_file(**planned("60-underlay-links.yaml", "links", LINKS))
        generated = generate([file], [], run_real_generator)
        assert generated.virtual_links() == {
            "bond0": VirtualLink("bond0", "bond", (), ("Bond.Mode=802.3ad",), ("enp0s3", "enp0s4")),
            "bond0.301": VirtualLink("bond0.301", "vlan", ("bond0",), ("VLAN.Id=301",)),
            "br-storage": VirtualLink("br-storage", "bridge", members=("bond0.301",)),
        }

    def test_an_error_is_told_in_netplans_words_with_the_hosts_path(self) -> None:
        with pytest.raises(NetplanRefusedError) as error:
            generate([own_file(**lcm_file(link="bond7"))], [], run_real_generator)
        assert "/etc/netplan/61-underlay-lcm.yaml:2" in str(error.value)
        assert "'bond7' is not defined" in str(error.value)
        assert "WARNING" not in str(error.value)

    def test_files_for_network_manager_carry_ids_too(self) -> None:
        text = b"network: {version: 2, renderer: NetworkManager, ethernets: {enp0s2: {}}}\n"
        generated = generate([], [ForeignFile("etc/netplan/1.yaml", text)], run_real_generator)
        assert "connection" in generated.units["enp0s2"]

    @pytest.mark.parametrize(
        ("foreign", "conflict"),
        [
            ("ethernets: {enp0s2: {dhcp4: true}}", False),
            ("ethernets: {enp0s3: {}}", False),
            ("ethernets: {enp0s3: {dhcp4: true}}", True),
            ("ethernets: {enp0s3: {mtu: 9000}}", True),
            ("ethernets: {all-en: {match: {name: 'en*'}, dhcp4: true}}", True),
            ("ethernets: {zz: {match: {name: 'en*'}, dhcp4: true}}", False),
            ("vlans: {v9: {id: 9, link: enp0s3}}", False),
            ("bridges: {br9: {interfaces: [enp0s3]}}", True),
            ("renderer: NetworkManager\n  ethernets: {enp0s2: {dhcp4: true}}", True),
        ],
    )
    def test_conflicts_with_foreign_files_are_found(
        self, tmp_path: Path, foreign: str, conflict: bool
    ) -> None:
        places = Places(tmp_path)
        put_foreign(places, "etc/netplan/70-mine.yaml", f"network:\n  version: 2\n  {foreign}\n")
        wanted = wish("links", [links_file()], [lcm_file()])
        host = Surroundings(run_real_generator, list)
        if conflict:
            with pytest.raises(HostError, match="want the same interfaces"):
                stage(wanted, places, host, write=True)
        else:
            assert stage(wanted, places, host, write=True).changed
