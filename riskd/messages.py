"""THE contract: every message of riskd, declared once in `riskd.contract`, gathered here.

`docs/protocol.md` and the JSON Schema in `docs/schema.json` are generated from these types.
"""

from riskd.contract.alerting import *
from riskd.contract.alerts import *
from riskd.contract.analysis import *
from riskd.contract.base import *
from riskd.contract.control import *
from riskd.contract.journal import *
from riskd.contract.limits import *
from riskd.contract.measures import *
from riskd.contract.orders import *
from riskd.contract.responses import *
from riskd.contract.roles import *
from riskd.contract.sessions import *
from riskd.contract.settings import *
from riskd.contract.specs import *
from riskd.contract.ticks import *
