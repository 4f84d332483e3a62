"""The wheel contains all that its edge needs: its own configuration, Lua, tables and the page."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]

ASK_ITS_EDGE = """
import asyncio, sys, urllib.request
from pathlib import Path
import server.edge
from server.edge import EdgeConfig, running
async def main():
    home = Path(sys.argv[1])
    assert home in Path(server.edge.__file__).parents
    async with running(EdgeConfig(home=home, server_sockets=(home / "none.sock",), port=0)) as edge:
        page = await asyncio.to_thread(urllib.request.urlopen, edge.url)
        sys.stdout.buffer.write(page.read())
    assert str(home / "server") in (home / "envoy/envoy.yaml").read_text()
    assert sys.argv[2] not in (home / "envoy/envoy.yaml").read_text()
asyncio.run(main())
"""


def test_an_edge_from_the_wheel_serves_the_page(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    # Runs from its folder, before all installed packages: it stands for an installed one.
    ask = [sys.executable, "-c", ASK_ITS_EDGE, str(tmp_path), str(ROOT)]
    page = subprocess.run(ask, cwd=tmp_path, check=True, stdout=subprocess.PIPE)
    assert page.stdout == (ROOT / "clients/web/index.html").read_bytes()
