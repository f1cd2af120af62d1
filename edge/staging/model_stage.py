"""The bundles of a running gateway: the current one, a candidate in its shadow, and the last good one to fall back on.

    arrives ─► on the disk ─► checked ─► tried on the last days ─► current, on trial ─► good
                    │             │                │                    │
                 refused       refused          refused              reverted: the last good one runs again

Each step is on the disk before it takes effect, so that a kill at any moment leaves a bundle that runs: the new one or the
last good one. The gateway's own bundle, the one it was installed with, is the last resort before the baseline.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from contract.documents import BundleDocument, BundleRef, ModelsDocument
from contract.records import ScoreRole, StagingState
from edge.core.messages import BundleNews
from edge.core.replenish import ForecastDone, ForecastJob
from edge.core.score_job import BundleScore, ScoreDone, ScoreJob, ScoreSums
from edge.inference import Forecasting
from edge.scoring import score
from edge.staging.bundle_store import BundleStore
from edge.staging.live_check import live_problem
from edge.staging.stage_state import INSTALLED, DaySums, Refused, StageState, Trial
from models.bundle import PublicKey
from models.errors import BundleError
from models.health import unfit
from models.inference import Models, checked_models
from runtime.logs import Log

log = Log("edge.staging")

DISK_RETRY_S = 30.0
MAX_STARTS = 3
"""A bundle that ends the process before its first answer is tried so often."""
PROBE_WORSE_BY, TRIAL_WORSE_BY = 1.5, 1.25
"""A trained bundle and the baseline lie less than 1.2 apart on the demo's shops; few days are noisier than a trial."""


@dataclass(slots=True)
class _Loaded:
    sha256: str
    models: Models


class ModelStage:
    """Owned by the loop's thread. `open` before anything else; `news` waits to be told to the core."""

    def __init__(self, store: BundleStore, installed: Models, public_key: PublicKey) -> None:
        self._store, self._installed, self._public_key = store, installed, public_key
        self.state = StageState()
        self.models = installed
        self.forecasting = Forecasting(installed)
        self._candidate: _Loaded | None = None
        self._before: _Loaded | None = None
        self._wanted: ModelsDocument | None = None
        self._settled = False
        self._again_s = 0.0
        self.disk_problem = ""
        """Why the disk refuses what the stage has to keep; bundles then stay as they are, and it is tried again."""
        self.news: list[BundleNews] = []

    def open(self) -> None:
        """Loads what ran before; what does not survive its own start gives way to the last good one."""
        self.state = self._store.open()
        trial = self.state.trial
        if trial is not None and trial.starts >= MAX_STARTS:
            self._revert(f"the gateway ended {trial.starts} times before it answered")
        elif trial is not None:
            self._save(trial=trial.model_copy(update={"starts": trial.starts + 1}))
        self._load_current()
        self._tell_again()

    def have(self) -> dict[str, int]:
        """The bundles that need not be sent: stored, or refused for as long as nobody asks anew."""
        known = self._store.stored() | {
            sha256
            for sha256, refused in self.state.refused.items()
            if refused.models_version >= self._version
        }
        return {f"bundle:{sha256}": 1 for sha256 in sorted(known)}

    def take(self, document: BundleDocument, wanted: ModelsDocument | None) -> None:
        """A bundle arrived: it is on the disk and checked afterwards, or refused with its reason."""
        self._wanted, self._settled = wanted or self._wanted, False
        if self._store.has(document.sha256):
            return
        try:
            part = self._store.begin(document)
            checked_models(part, self._public_key)
            self._store.finish(document.sha256)
        except BundleError as error:
            self._store.abandon(document.sha256)
            self._refuse(document.sha256, document.name, f"{error.check}: {error}")
            return
        except OSError as error:
            # Nothing is wrong with the bundle: the centre sends it again, until there is room.
            self._store.abandon(document.sha256)
            self._disk_refuses(error)
            return
        self._tell(document.name, StagingState.STAGED, document.sha256)

    def wants_change(self, wanted: ModelsDocument | None) -> bool:
        """Whether `reconcile` has something to do."""
        if wanted is None or (wanted is self._wanted and self._settled):
            return False
        return time.monotonic() >= self._again_s

    def reconcile(self, wanted: ModelsDocument, probe: list[ScoreJob]) -> None:
        """Brings the bundles to what the centre wants, as far as they are here and fit. Equal is no change."""
        self._wanted, self._settled = wanted, True
        self.disk_problem = ""
        try:
            self._reconcile_current(wanted, probe)
            self._reconcile_candidate(wanted.candidate)
            named = {ref.sha256 for ref in (wanted.current, wanted.candidate) if ref is not None}
            self._store.keep_only({self.state.current, self.state.good, *named})
        except OSError as error:
            self._disk_refuses(error)
            self._settled = False

    def answer(self, job: ForecastJob) -> ForecastDone:
        """The job's forecasts. A bundle whose answers no shop can use gives way before anybody sees them.

        Raises ValueError when the models refuse the inputs.
        """
        done = self._answered(job)
        problem = live_problem(done)
        while problem and self.state.current != INSTALLED:
            self._revert(problem)
            done = self.forecasting.answer(job)
            problem = live_problem(done)
        trial = self.state.trial
        if trial is not None and trial.starts:
            self._save(trial=trial.model_copy(update={"starts": 0}))
        return done

    def score(self, job: ScoreJob) -> ScoreDone:
        """How the bundles at hand forecast a part of a day; at the day's end the one on trial is judged."""
        found = [
            BundleScore(ScoreRole.CURRENT, self.models.name, self.state.current, score(self.models, job))
        ]
        if self._candidate is not None:
            sums = score(self._candidate.models, job)
            if sums.problem:
                self._drop_candidate(sums.problem)
            else:
                name = self._candidate.models.name
                found.append(BundleScore(ScoreRole.CANDIDATE, name, self._candidate.sha256, sums))
        self._judge(job, found[0].sums)
        return ScoreDone(job, tuple(found))

    def _answered(self, job: ForecastJob) -> ForecastDone:
        """What only this bundle refuses is the bundle's fault; what the installed one refuses too is the question's."""
        try:
            return self.forecasting.answer(job)
        except ValueError as error:
            if self.state.current == INSTALLED:
                raise
            done = Forecasting(self._installed).answer(job)
            self._revert(f"it cannot answer a question: {error}")
            return done

    # ---- the current bundle -------------------------------------------------------------------------------------

    def _reconcile_current(self, wanted: ModelsDocument, probe: list[ScoreJob]) -> None:
        ref = wanted.current
        target = ref.sha256 if ref else INSTALLED
        if target == self.state.current:
            return
        if target == self.state.good:
            # A roll-back from the centre: it has stood its trial before.
            self._put_in_force(target, self.state.good_name, trial=None)
            return
        if ref is None:
            self._put_in_force(INSTALLED, self._installed.name, trial=None)
        elif not self._is_refused(target, wanted) and self._store.has(target):
            self._try(ref, probe, wanted.trial_days)

    def _try(self, ref: BundleRef, probe: list[ScoreJob], trial_days: int) -> None:
        try:
            models = checked_models(self._store.path(ref.sha256), self._public_key)
        except BundleError as error:
            self._refuse(ref.sha256, ref.name, f"{error.check}: {error}")
            return
        theirs, mine = _sums(models, probe), _sums(self.models, probe)
        problem = unfit(
            _days(theirs).realised(theirs.problem), _days(mine).realised(), worse_by=PROBE_WORSE_BY
        )
        if problem:
            self._refuse(ref.sha256, ref.name, f"live sanity: {problem}")
            return
        self._put_in_force(ref.sha256, models.name, trial=Trial() if trial_days else None)

    def _put_in_force(self, sha256: str, name: str, *, trial: Trial | None) -> None:
        """On the disk first: whenever the process ends, the next one knows what to run and what to fall back on."""
        good, good_name = self.state.good, self.state.good_name
        if trial is None:
            good, good_name = sha256, name
        self._save(
            is_needed=True, current=sha256, current_name=name, good=good, good_name=good_name, trial=trial
        )
        if self._candidate is not None and self._candidate.sha256 == sha256:
            self._candidate = None
        self._load_current()
        if self.state.current == sha256:
            self._tell(name, StagingState.APPLIED if trial is not None else StagingState.GOOD, sha256)

    def _load_current(self) -> None:
        """Makes what the state names run; what cannot be loaded any more gives way to the last good one."""
        self._use(self._loaded(self.state.current))
        self._before = None
        if self.state.trial is not None:
            before = self._loaded(self.state.good)
            self._before = _Loaded(self.state.good, before) if before is not None else None

    def _use(self, models: Models | None) -> None:
        while models is None:
            self._revert_state("its files are damaged")
            models = self._loaded(self.state.current)
        self.models, self.forecasting = models, Forecasting(models)

    def _loaded(self, sha256: str) -> Models | None:
        if sha256 == INSTALLED:
            return self._installed
        try:
            return checked_models(self._store.path(sha256), self._public_key)
        except BundleError as error:
            log.warning("a stored bundle cannot be used any more", sha256=sha256, reason=str(error))
            return None

    def _revert(self, reason: str) -> None:
        self._revert_state(reason)
        self._load_current()

    def _revert_state(self, reason: str) -> None:
        """The last good one is current again; from the last good one itself, the installed one."""
        state = self.state
        back, back_name = (state.good, state.good_name) if state.current != state.good else (INSTALLED, "")
        refused = Refused(
            name=state.current_name, reason=reason[:300], models_version=self._version, state=StagingState.REVERTED
        )  # fmt: skip
        self.state = state.with_refused(state.current, refused)
        self._save(current=back, current_name=back_name, good=back, good_name=back_name, trial=None)
        log.warning("a bundle is taken back", bundle=state.current_name, reason=reason)
        self._tell(state.current_name, StagingState.REVERTED, state.current, reason)

    def _judge(self, job: ScoreJob, sums: ScoreSums) -> None:
        trial = self.state.trial
        if trial is None:
            if sums.problem and self.state.current != INSTALLED:
                self._revert(sums.problem)
            return
        before = score(self._before.models, job) if self._before is not None else ScoreSums()
        trial = trial.model_copy(
            update={"sums": trial.sums.plus(_days(sums)), "before": trial.before.plus(_days(before))}
        )
        if job.is_last:
            trial = trial.model_copy(update={"days": trial.days + 1})
        problem = unfit(trial.sums.realised(sums.problem), trial.before.realised(), worse_by=TRIAL_WORSE_BY)
        if problem and (job.is_last or sums.problem):
            self._revert(f"after {trial.days} days: {problem}")
            return
        wanted_days = self._wanted.trial_days if self._wanted is not None else 0
        if job.is_last and trial.days >= wanted_days:
            state = self.state
            self._save(good=state.current, good_name=state.current_name, trial=None)
            self._before = None
            self._tell(state.current_name, StagingState.GOOD, state.current)
        else:
            self._save(trial=trial)

    # ---- the candidate ------------------------------------------------------------------------------------------

    def _reconcile_candidate(self, ref: BundleRef | None) -> None:
        wanted = ref.sha256 if ref is not None else None
        if self._candidate is not None and self._candidate.sha256 != wanted:
            self._candidate = None
        if ref is None or wanted is None or wanted == self.state.current or self._candidate is not None:
            return
        if self._wanted is not None and self._is_refused(wanted, self._wanted):
            return
        if not self._store.has(wanted):
            return
        models = self._loaded(wanted)
        if models is None:
            self._refuse(wanted, ref.name, "its files are damaged")
            return
        self._candidate = _Loaded(wanted, models)
        if self.state.candidate != wanted:
            self._save(candidate=wanted)
            self._tell(models.name, StagingState.SHADOW, wanted)

    def _drop_candidate(self, problem: str) -> None:
        assert self._candidate is not None
        self._refuse(self._candidate.sha256, self._candidate.models.name, f"live sanity: {problem}")
        self._candidate = None

    # ---- small things -------------------------------------------------------------------------------------------

    def _is_refused(self, sha256: str, wanted: ModelsDocument) -> bool:
        refused = self.state.refused.get(sha256)
        return refused is not None and refused.models_version >= wanted.version

    def _refuse(self, sha256: str, name: str, reason: str) -> None:
        version, known = self._version, self.state.refused.get(sha256)
        self.state = self.state.with_refused(
            sha256, Refused(name=name[:200], reason=reason[:300], models_version=version)
        )
        self._save()
        log.warning("a bundle is refused", bundle=name, reason=reason)
        if known is None or known.models_version < version or known.reason != reason[:300]:
            self._tell(name, StagingState.REFUSED, sha256, reason)

    @property
    def _version(self) -> int:
        """Of the `models` document that is followed, also before the core has said so after a start."""
        return max(self.state.models_version, self._wanted.version if self._wanted else 0)

    def _save(self, *, is_needed: bool = False, **changes: object) -> None:
        """is_needed: what follows must be on the disk first. Raises OSError then, and nothing has changed.

        Else the change holds from now on, and is on the disk with the next one that the disk takes.
        """
        after = self.state.model_copy(update={**changes, "models_version": self._version})
        try:
            self._store.save(after)
        except OSError as error:
            if is_needed:
                raise
            self._disk_refuses(error)
        else:
            self.disk_problem = ""
        self.state = after

    def _disk_refuses(self, error: OSError) -> None:
        if not self.disk_problem:
            log.warning("the disk refuses a bundle, trying again", reason=str(error))
        self.disk_problem = str(error)
        self._again_s = time.monotonic() + DISK_RETRY_S

    def _tell_again(self) -> None:
        """What a kill may have kept from the core: it knows what it was told, and passes over that."""
        state = self.state
        if state.current != INSTALLED:
            stands = StagingState.APPLIED if state.trial is not None else StagingState.GOOD
            self.news.append(BundleNews(state.current_name, stands, state.current, "", is_again=True))
        for sha256, refused in state.refused.items():
            self.news.append(BundleNews(refused.name, refused.state, sha256, refused.reason, is_again=True))

    def _tell(self, name: str, state: StagingState, sha256: str, reason: str = "") -> None:
        self.news.append(BundleNews(name or "the installed bundle", state, sha256, reason[:300]))


def _sums(models: Models, jobs: Iterable[ScoreJob]) -> ScoreSums:
    total = ScoreSums()
    for job in jobs:
        total = total.plus(score(models, job))
    return total


def _days(sums: ScoreSums) -> DaySums:
    return DaySums(
        rows=sums.skus, units=float(sums.units), mean_units=sums.mean_units, pinball=sums.pinball,
        inside_95=sums.inside_95,
    )  # fmt: skip


def open_stage(state_dir: Path, installed: Models, public_key: PublicKey) -> ModelStage:
    """The stage of the gateway's folder. Raises OSError when the folder cannot be used."""
    stage = ModelStage(BundleStore(state_dir / "bundles"), installed, public_key)
    stage.open()
    return stage
