"""`beffroi water piv`, `site import` and `discharge`: measure from files, without a town."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.terminal import Json, language, say, tell

if TYPE_CHECKING:
    from beffroi.services.water.camera.measure import Measurement
    from beffroi.services.water.camera.site import Site

__all__ = ["add"]


def _argument(metavar: str, fr: str, en: str) -> Any:
    return typer.Argument(metavar=metavar, help=say(fr, en))


def _option(name: str, metavar: str, fr: str, en: str) -> Any:
    return typer.Option(name, metavar=metavar, help=say(fr, en))


First = Annotated[Path, _argument("A", "La première image.", "The first picture.")]
Second = Annotated[Path, _argument("B", "La suivante.", "The next one.")]
Window = Annotated[
    int, _option("--window", "PX", "Côté de la fenêtre, en pixels.", "Side of the window, in pixels.")
]
Step = Annotated[int, _option("--step", "PX", "Pas de la grille, en pixels.", "Step of the grid, in pixels.")]
Engine = Annotated[
    str, _option("--engine", "NAME", "Méthode ; auto choisit la plus sûre.", "Method; auto takes the surest.")
]
Files = Annotated[
    list[Path],
    _argument("FILE…", "Les fichiers qui décrivent le site.", "The files that describe the site."),
]
Out = Annotated[Path, _option("--out", "SITE.json", "Le site, écrit là.", "The site, written there.")]
Name = Annotated[str, _option("--name", "TEXT", "Nom du site.", "Name of the site.")]
SiteFile = Annotated[Path, _option("--site", "SITE.json", "Le site.", "The site.")]
Frames = Annotated[Path | None, _option("--frames", "DIR", "Un dossier d'images.", "A directory of frames.")]
Dt = Annotated[
    float | None,
    _option("--dt", "S", "Secondes d'une image à l'autre.", "Seconds from one frame to the next."),
]
Video = Annotated[Path | None, _option("--video", "FILE", "Une vidéo.", "A video.")]
Velocity = Annotated[
    Path | None,
    _option("--velocity", "FIELD.nc", "Un champ de vitesses (NetCDF).", "A field of velocities (NetCDF)."),
]
Level = Annotated[
    float | None,
    _option("--level", "M", "Hauteur lue à l'échelle, en mètres.", "Height read on the gauge, in metres."),
]


def add(group: typer.Typer) -> None:
    """Add the camera's commands to the group `water`."""
    sites = typer.Typer(no_args_is_help=True, help=say("Les sites des caméras.", "The cameras' sites."))
    group.add_typer(sites, name="site")
    _piv(group)
    _import(sites)
    _discharge(group)


def _alone() -> None:
    """Keep OpenCV to one thread: a second one costs more than it brings on such pictures."""
    import cv2  # noqa: PLC0415 -- a command imports what it needs when it runs

    cv2.setNumThreads(1)


def _piv(group: typer.Typer) -> None:
    @group.command(
        "piv",
        help=say(
            "Mesure les déplacements d'une image à la suivante, en pixels, y vers le bas.",
            "Measure the displacements from one picture to the next, in pixels, y downwards.",
        ),
    )
    def piv(
        first: First,
        second: Second,
        window: Window = 32,
        step: Step = 16,
        engine: Engine = "auto",
        as_json: Json = False,
    ) -> None:
        import time  # noqa: PLC0415

        import numpy as np  # noqa: PLC0415

        from beffroi.services.water.camera.frames import read_picture  # noqa: PLC0415
        from beffroi.services.water.camera.pair import PAIR_ENGINES, displacements  # noqa: PLC0415

        _alone()
        _known(engine, ("auto", *PAIR_ENGINES))
        pictures = []
        for path in (first, second):
            picture = read_picture(path)
            if picture is None:
                raise Problem(
                    Text("Cette image est absente, tronquée ou illisible.",
                         "This picture is absent, truncated or illegible."),
                    Text("Donnez une image PNG, JPEG ou TIFF entière.", "Give a whole PNG, JPEG or TIFF picture."),
                    str(path))  # fmt: skip
            pictures.append(picture)
        started = time.process_time()
        found = displacements(pictures[0], pictures[1], window, step, engine)
        spent = time.process_time() - started
        good = found.flag == 0
        flat = {
            n: [round(float(v), 4) if np.isfinite(v) else None for v in getattr(found, n).ravel()]
            for n in "xyuv"
        }
        tell(
            {
                **flat,
                "flag": found.flag.ravel().astype(int).tolist(),
                "shape": list(found.x.shape),
                "engine": found.engine,
                "cpu_ms": round(spent * 1000, 1),
            },
            as_json=as_json,
            words=say(
                "{n} vecteurs, {good:.0%} mesurés ; déplacement médian ({u:.2f}, {v:.2f}) px ; {engine}, {ms:.0f} ms",
                "{n} vectors, {good:.0%} measured; median displacement ({u:.2f}, {v:.2f}) px; {engine}, {ms:.0f} ms",
                n=found.x.size,
                good=float(good.mean()),
                u=float(np.nanmedian(found.u)) if good.any() else float("nan"),
                v=float(np.nanmedian(found.v)) if good.any() else float("nan"),
                engine=found.engine,
                ms=spent * 1000,
            ),
        )


def _import(sites: typer.Typer) -> None:
    @sites.command(
        "import",
        help=say(
            "Fait un site des fichiers d'autres outils : homographie, section, bathymétrie, configuration de caméra.",
            "Make a site of other tools' files: homography, section, bathymetry, camera configuration.",
        ),
    )
    def import_(files: Files, out: Out, name: Name = "", as_json: Json = False) -> None:
        from beffroi.services.water.camera.importing import import_site  # noqa: PLC0415
        from beffroi.services.water.camera.projection import projection_of, residuals_of  # noqa: PLC0415
        from beffroi.services.water.camera.site import write_site  # noqa: PLC0415

        _alone()
        site = import_site(files, name)
        projection_of(site)
        misses = residuals_of(site) if site.points else []
        write_site(site, out)
        report = {
            "site": str(out),
            **_of_site(site),
            "residuals": [{"pixels": round(r.pixels, 3), "metres": round(r.metres, 4)} for r in misses],
            **_of_misses([r.pixels for r in misses]),
        }
        worst = max((r.pixels for r in misses), default=0.0)
        tell(
            report,
            as_json=as_json,
            words=say(
                "{out} : {points} points de contrôle (écart au plus {worst:.1f} px), {verticals} points de section, "
                "coefficient {alpha:g}",
                "{out}: {points} control points (at most {worst:.1f} px off), {verticals} points of section, "
                "coefficient {alpha:g}",
                out=out,
                points=len(site.points),
                worst=worst,
                verticals=len(site.section.points) if site.section else 0,
                alpha=site.alpha,
            ),
        )


def _of_misses(pixels: list[float]) -> dict[str, float]:
    """Return the root mean square of a coordinate (what least squares make least, over 2n of them) and of a distance."""
    if not pixels:
        return {}
    square = sum(p * p for p in pixels) / len(pixels)
    return {
        "residual_rms_px": round((square / 2) ** 0.5, 3),
        "residual_rms_distance_px": round(square**0.5, 3),
    }


def _of_site(site: "Site") -> dict[str, Any]:
    return {
        "control_points": len(site.points),
        "section_points": len(site.section.points) if site.section else 0,
        "level_m": site.level,
        "zero_m": site.zero,
        "alpha": site.alpha,
        "alpha_stated": site.alpha_stated,
    }


def _discharge(group: typer.Typer) -> None:
    @group.command(
        "discharge",
        help=say(
            "Mesure le débit d'un site, avec son intervalle à 95 % et ses doutes.",
            "Measure the discharge of a site, with its 95 % interval and its doubts.",
        ),
    )
    def discharge(
        site: SiteFile,
        frames: Frames = None,
        dt: Dt = None,
        video: Video = None,
        velocity: Velocity = None,
        level: Level = None,
        engine: Engine = "auto",
        as_json: Json = False,
    ) -> None:
        import time  # noqa: PLC0415

        from beffroi.services.water.camera.site import read_site  # noqa: PLC0415
        from beffroi.services.water.camera.surface import ENGINES  # noqa: PLC0415

        _alone()
        _known(engine, ("auto", "all", *ENGINES))
        started = time.process_time()
        given = [v is not None for v in (frames, video, velocity)]
        if sum(given) != 1:
            raise Problem(
                Text("Donnez une seule source d'images.", "Give one source of pictures."),
                Text("`--frames DIR --dt S`, ou `--video FILE`, ou `--velocity FIELD.nc`.",
                     "`--frames DIR --dt S`, or `--video FILE`, or `--velocity FIELD.nc`."), "--frames")  # fmt: skip
        found = _measured(read_site(site), frames, dt, video, velocity, level, engine)
        _report(found, time.process_time() - started, as_json=as_json)


def _measured(
    site: "Site",
    frames: Path | None,
    dt: float | None,
    video: Path | None,
    velocity: Path | None,
    level: float | None,
    engine: str,
) -> "Measurement":
    from beffroi.services.water.camera.frames import read_folder, read_video  # noqa: PLC0415
    from beffroi.services.water.camera.measure import measure  # noqa: PLC0415

    if velocity is not None:
        from beffroi.services.water.camera.field import measure_field, read_field  # noqa: PLC0415

        return measure_field(site, read_field(velocity), level)
    if frames is not None:
        if dt is None:
            raise Problem(
                Text("Un dossier d'images ne dit pas ses heures.", "A directory of frames does not tell its times."),
                Text("Ajoutez `--dt` : les secondes d'une image à l'autre.",
                     "Add `--dt`: the seconds from one frame to the next."), "--dt")  # fmt: skip
        return measure(site, read_folder(frames, dt), level, engine=engine)
    return measure(site, read_video(video or Path(), dt), level, engine=engine)


def _report(found: "Measurement", cpu_s: float, *, as_json: bool) -> None:
    import msgspec  # noqa: PLC0415

    from beffroi.services.water.camera.doubts import DOUBTS  # noqa: PLC0415

    report = msgspec.to_builtins(msgspec.structs.replace(found, cpu_s=round(cpu_s, 3)))
    doubts = ", ".join(DOUBTS[f].title.of(language()) for f in found.flags) or say("aucun doute", "no doubt")
    if found.discharge_m3s is None or found.interval95 is None:
        words = say(
            "Pas de mesure : {doubts}. Section mouillée {area:.2f} m².",
            "No measurement: {doubts}. Wetted section {area:.2f} m².",
            doubts=doubts,
            area=found.area_m2,
        )
    else:
        words = say(
            "{q:.3g} m³/s, entre {low:.3g} et {high:.3g} (95 %) ; {v:.2f} m/s sur {area:.2f} m² ; {share:.0%} mesuré ; "
            "{doubts} ; {cpu:.2f} s",
            "{q:.3g} m³/s, between {low:.3g} and {high:.3g} (95 %); {v:.2f} m/s over {area:.2f} m²; {share:.0%} measured; "
            "{doubts}; {cpu:.2f} s",
            q=found.discharge_m3s,
            low=found.interval95[0],
            high=found.interval95[1],
            v=found.mean_velocity_ms or 0.0,
            area=found.area_m2,
            share=found.measured_share,
            doubts=doubts,
            cpu=cpu_s,
        )
    tell(report, as_json=as_json, words=words)


def _known(engine: str, names: tuple[str, ...]) -> None:
    if engine not in names:
        raise Problem(
            Text("Cette méthode n'existe pas.", "This method does not exist."),
            Text("Au choix : {names}.", "One of: {names}.").filled(names=", ".join(names)),
            "--engine",
        )
