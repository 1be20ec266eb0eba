"""The artist who renders a 3-D face model with VTK, headless: no display and no graphics card needed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtclar.synthesis.actions import INDEX, PAIRED, SINGLE, Actions
from mtclar.synthesis.artists.age import Ageing, find_ageing, hair_height
from mtclar.synthesis.artists.base import Layer, Light, Performance, View
from mtclar.synthesis.artists.facemodel import FaceModel
from mtclar.synthesis.artists.paint import Masks, find_masks, hair_of, paint
from mtclar.synthesis.identity import GROWN, Person

#: Which shape of the model (name before _L/_R, gain) does each action; gains even out how far shapes move the skin.
SHAPES: dict[str, tuple[str, float]] = {
    "brow_down": ("browDown", 1.35),
    "brow_inner_up": ("browInnerUp", 1.3),
    "brow_outer_up": ("browOuterUp", 1.1),
    "cheek_raise": ("cheekSquint", 1.2),
    "lid_close": ("eyeBlink", 1.0),
    "lid_tighten": ("eyeSquint", 1.2),
    "lid_raise": ("eyeWide", 1.9),
    "dimple": ("mouthDimple", 1.0),
    "lip_corner_down": ("mouthFrown", 1.4),
    "lower_lip_down": ("mouthLowerDown", 1.2),
    "lip_press": ("mouthPress", 1.3),
    "smile": ("mouthSmile", 1.0),
    "lip_stretch": ("mouthStretch", 1.1),
    "upper_lip_up": ("mouthUpperUp", 0.8),
    "nose_wrinkle": ("noseSneer", 1.1),
    "jaw_open": ("jawOpen", 1.0),
    "pucker": ("mouthPucker", 1.0),
    "funnel": ("mouthFunnel", 1.0),
    "roll_lower_lip": ("mouthRollLower", 0.8),
    "roll_upper_lip": ("mouthRollUpper", 0.8),
    "chin_raise": ("mouthShrugLower", 0.9),
    "shrug_upper_lip": ("mouthShrugUpper", 1.0),
    "puff": ("cheekPuff", 1.0),
}
#: Thin transparent films that would hide the eye, lash cards, and the iris that lies behind the painted shell.
HIDDEN = ("M_EyeBlend", "M_EyeOcclusion", "M_EyeLashes", "M_LacrimalFluid", "M_IrisLeft", "M_IrisRight")
#: The head turns about this point, and the camera aims at the second (model coordinates, centimetres).
PIVOT = np.array([0.0, 0.0, 1.0])
AIM = np.array([0.0, 0.0, 9.0])
CAMERA_CM = 90.0


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Rotation matrix of degrees about y (yaw), x (pitch, up positive) and z (roll)."""
    (cy, cp, cr), (sy, sp, sr) = (f(np.radians([yaw, -pitch, roll])) for f in (np.cos, np.sin))
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    tilt = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return tilt @ turn @ nod


class RenderedArtist:
    """Draws people with a linear face model: morph, paint, light, render."""

    name = "rendered"

    def __init__(self, model: FaceModel, supersampling: int) -> None:
        """Prepare masks and shape tables; the render window opens with the first picture.

        Args:
            model: the face model.
            supersampling: pixels of the rendered picture for one of the drawn one, along each side. At 1 edges are
                jagged and everything is done the quickest way, which differs a little from the others' pictures.
        """
        self._model = model
        self._supersampling = supersampling
        self._masks: Masks = find_masks(model)
        self._ageing: Ageing = find_ageing(model)
        self._names = model.expression_names
        self._flat_identity = model.identity.reshape(len(model.identity), -1)
        self._flat_expression = model.expression.reshape(len(model.expression), -1)
        hidden = [i for i, name in enumerate(model.materials) if name in HIDDEN]
        self._faces = model.faces[~np.isin(model.face_material, hidden)]
        self._stage: _Stage | None = None
        self._person: Person | None = None
        self._shape = model.vertices

    def draw(self, person: Person, performance: Performance, view: View, lights: tuple[Light, ...]) -> Layer:
        """Draw a person on nothing (transparent background)."""
        stage = self._meet(person)
        moved = self._express(performance)
        turn = rotation(*performance.head)
        placed = ((moved - PIVOT) @ turn.T + PIVOT - AIM).astype(np.float32)
        rgba = stage.render(placed, view, lights)
        rgb, alpha = shrink(rgba, self._supersampling)
        return Layer(rgb, alpha, project(placed[self._model.landmarks68], view))

    def _meet(self, person: Person) -> _Stage:
        """Make the person's neutral shape and colours, unless it is the one drawn last, and give the stage."""
        if self._stage is None:
            self._stage = _Stage(len(self._model.vertices), self._faces, self._supersampling)
        if self._person is person:
            return self._stage
        modes = min(len(person.shape), len(self._flat_identity))
        shift = (person.shape[:modes] @ self._flat_identity[:modes]).reshape(-1, 3)
        shape = self._model.vertices + shift
        if person.age != GROWN:
            shape = shape + self._ageing.shift(person)
        hair = hair_of(self._masks, person)[:, None]
        outward = shape - np.array([0, 4, 0], np.float32)
        outward /= np.linalg.norm(outward, axis=1, keepdims=True) + 1e-6
        self._shape = (shape + hair_height(person) * hair * outward).astype(np.float32)
        self._stage.colour(paint(self._model, self._masks, self._ageing.lines, person))
        self._person = person
        return self._stage

    def _express(self, performance: Performance) -> NDArray[np.float32]:
        """The person's mesh with an expression and a gaze: float32 (n, 3)."""
        weights = shape_weights(performance.actions, performance.gaze, self._names)
        if self._supersampling == 1:
            flat = self._shape.ravel().copy()
            for shape in np.flatnonzero(weights):
                flat += weights[shape] * self._flat_expression[shape]
            mesh = flat.reshape(-1, 3)
        else:
            # A sum in another order would round otherwise, and change a sample's bytes.
            mesh = self._shape + (weights @ self._flat_expression).reshape(-1, 3)
        look = rotation(performance.gaze[0], performance.gaze[1], 0).astype(np.float32)
        for eye in self._masks.eyes:
            ball = self._shape[eye.vertices]
            centre = (ball.min(0) + ball.max(0)) / 2
            mesh[eye.vertices] = (ball - centre) @ look.T + centre
        return mesh


def shape_weights(actions: Actions, gaze: tuple[float, float], names: tuple[str, ...]) -> NDArray[np.float32]:
    """Weights of a model's named shapes for an action vector and a gaze; lids follow the gaze: float32 (shapes,)."""
    wanted: dict[str, float] = {}
    for action in PAIRED:
        shape, gain = SHAPES[action]
        wanted[f"{shape}_L"] = gain * float(actions[INDEX[action], 0])
        wanted[f"{shape}_R"] = gain * float(actions[INDEX[action], 1])
    for action in SINGLE:
        shape, gain = SHAPES[action]
        for name in (shape, f"{shape}_L", f"{shape}_R"):
            wanted[name] = gain * float(actions[INDEX[action]].mean())
    for side in "LR":
        wanted[f"eyeLookDown_{side}"] = max(0.0, -gaze[1] / 30)
        wanted[f"eyeLookUp_{side}"] = max(0.0, gaze[1] / 30)
        # A lid that is both raised and closed is simply closed.
        closed = min(1.0, wanted[f"eyeBlink_{side}"] + 0.6 * wanted[f"eyeLookDown_{side}"])
        wanted[f"eyeBlink_{side}"] = min(wanted[f"eyeBlink_{side}"], 1.0)
        wanted[f"eyeWide_{side}"] *= 1 - closed
    return np.array([wanted.get(name, 0.0) for name in names], np.float32)


def project(points: NDArray[np.float32], view: View) -> NDArray[np.float32]:
    """Pixel positions (k, 2) of points (k, 3) given relative to the aim."""
    scale = view.height / view.height_cm * CAMERA_CM / (CAMERA_CM - points[:, 2])
    x = view.width / 2 + (points[:, 0] + view.offset_cm[0]) * scale
    y = view.height / 2 - (points[:, 1] + view.offset_cm[1]) * scale
    return np.stack([x, y], 1).astype(np.float32)


def shrink(rgba: NDArray[np.uint8], supersampling: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Average a supersampled picture down; colours weighted by opacity so that edges do not darken.

    Args:
        rgba: uint8 (h * s, w * s, 4).
        supersampling: s.

    Returns:
        RGB uint8 (h, w, 3) and opacity float32 (h, w) in [0, 1].
    """
    s = supersampling
    if s == 1:
        return np.ascontiguousarray(rgba[..., :3]), rgba[..., 3].astype(np.float32) / np.float32(255)
    pixels = rgba.astype(np.float32)
    opacity = pixels[..., 3] / np.float32(255)
    pixels[..., :3] *= opacity[..., None]
    rgb = np.zeros((len(rgba) // s, rgba.shape[1] // s, 3), np.float32)
    alpha = np.zeros(rgb.shape[:2], np.float32)
    # The order of the sums is that of the samples that were drawn before: another rounds otherwise.
    for i in range(s):
        row = np.zeros_like(alpha)
        for j in range(s):
            rgb += pixels[i::s, j::s, :3]
            row += opacity[i::s, j::s]
        alpha += row
    rgb /= np.float32(s * s)
    alpha /= np.float32(s * s)
    rgb /= np.maximum(alpha, 1e-6)[..., None]
    return np.clip(rgb, 0, 255).astype(np.uint8), alpha


class _Stage:
    """A VTK scene with one mesh, kept open and reused for every picture of a process."""

    def __init__(self, vertices: int, faces: NDArray[np.int32], supersampling: int) -> None:
        from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
        from vtkmodules.vtkCommonCore import vtkLogger, vtkPoints
        from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
        from vtkmodules.vtkFiltersCore import vtkPolyDataNormals, vtkTriangleMeshPointNormals
        from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkRenderer, vtkRenderWindow
        from vtkmodules.vtkRenderingOpenGL2 import vtkOpenGLRenderer  # noqa: F401  (registers the backend)

        self._points = np.zeros((vertices, 3), np.float32)
        self._colours = np.zeros((vertices, 3), np.uint8)
        self._vtk_points = vtkPoints()
        self._vtk_points.SetData(numpy_to_vtk(self._points))
        self._vtk_colours = numpy_to_vtk(self._colours)
        quads = faces[:, 3] >= 0
        triangles = np.concatenate([faces[:, :3], faces[quads][:, [0, 2, 3]]]).astype(np.int64)
        cells = vtkCellArray()
        offsets = np.arange(0, 3 * len(triangles) + 1, 3, dtype=np.int64)
        cells.SetData(
            numpy_to_vtkIdTypeArray(offsets, deep=True), numpy_to_vtkIdTypeArray(triangles.ravel(), deep=True)
        )
        self._mesh = vtkPolyData()
        self._mesh.SetPoints(self._vtk_points)
        self._mesh.SetPolys(cells)
        self._mesh.GetPointData().SetScalars(self._vtk_colours)
        self._supersampling = supersampling
        normals = (
            vtkTriangleMeshPointNormals()
            if supersampling == 1
            else vtkPolyDataNormals(splitting=False, consistency=False, compute_cell_normals=False)
        )
        normals.SetInputData(self._mesh)
        mapper = vtkPolyDataMapper()
        mapper.SetInputConnection(normals.GetOutputPort())
        actor = vtkActor()
        actor.SetMapper(mapper)
        look = actor.GetProperty()
        look.SetInterpolationToPhong()
        look.SetAmbient(0.36)
        look.SetDiffuse(0.75)
        look.SetSpecular(0.1)
        look.SetSpecularPower(18)
        look.SetBackfaceCulling(supersampling == 1)
        self._renderer = vtkRenderer()
        self._renderer.SetBackground(0, 0, 0)
        self._renderer.SetBackgroundAlpha(0)
        self._renderer.AutomaticLightCreationOff()
        self._renderer.AddActor(actor)
        # Without a display VTK warns that it goes on without one, which is what is wanted.
        vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_ERROR)
        self._window = vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetAlphaBitPlanes(1)
        self._window.SetMultiSamples(0)
        self._window.AddRenderer(self._renderer)

    def colour(self, colours: NDArray[np.uint8]) -> None:
        """Give the mesh the colours of another person."""
        self._colours[:] = colours
        self._vtk_colours.Modified()
        self._mesh.Modified()

    def render(self, points: NDArray[np.float32], view: View, lights: tuple[Light, ...]) -> NDArray[np.uint8]:
        """Render the mesh: RGBA uint8 (h * s, w * s, 4) at the supersampled size."""
        from vtkmodules.util.numpy_support import vtk_to_numpy
        from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
        from vtkmodules.vtkRenderingCore import vtkLight

        self._points[:] = points
        self._vtk_points.Modified()
        self._mesh.Modified()
        self._renderer.RemoveAllLights()
        for light in lights:
            lamp = vtkLight()
            lamp.SetLightTypeToSceneLight()
            lamp.SetPositional(False)
            lamp.SetPosition(*light.direction)
            lamp.SetFocalPoint(0, 0, 0)
            lamp.SetColor(*light.colour)
            self._renderer.AddLight(lamp)
        width, height = view.width * self._supersampling, view.height * self._supersampling
        self._window.SetSize(width, height)
        camera = self._renderer.GetActiveCamera()
        x, y = -view.offset_cm[0], -view.offset_cm[1]
        camera.SetPosition(x, y, CAMERA_CM)
        camera.SetFocalPoint(x, y, 0)
        camera.SetViewUp(0, 1, 0)
        camera.SetViewAngle(float(np.degrees(2 * np.arctan(view.height_cm / 2 / CAMERA_CM))))
        camera.SetClippingRange(CAMERA_CM - 40, CAMERA_CM + 40)
        self._window.Render()
        pixels = vtkUnsignedCharArray()
        self._window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 1, pixels)  # type: ignore[call-overload]
        return vtk_to_numpy(pixels).reshape(height, width, 4)[::-1].copy()
