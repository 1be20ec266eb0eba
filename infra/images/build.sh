#!/usr/bin/env bash
# Builds the images of this checkout: mtclar:REVISION, mtclar:REVISION-gpu and mtclar-mlflow:REVISION.
#   BASE          base image, best by digest (python:3.11-slim)
#   BUILD_BASE    base for the stages that install packages (the same)
#   IMAGE         name before the tag, with a registry if there is one (mtclar)
#   TARGETS       which images (cpu gpu mlflow)
#   BUILD_FLAGS   more flags for `docker build`, such as --network=host
#   ALLOW_DIRTY=1 also builds what is not committed; the tag then ends on -dirty
set -euo pipefail
cd "$(dirname "$0")/../.."
base=${BASE:-python:3.11-slim}
image=${IMAGE:-mtclar}
revision=$(git rev-parse HEAD)
if [ -n "$(git status --porcelain --untracked-files=no)" ]; then
  [ "${ALLOW_DIRTY:-}" = 1 ] || { echo "make images: there are changes that are not committed; commit them, or set ALLOW_DIRTY=1." >&2; exit 1; }
  revision=$revision-dirty
fi
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
mkdir -p build/images
for target in ${TARGETS:-cpu gpu mlflow}; do
  case $target in
    cpu) tag=$image:$revision ;;
    gpu) tag=$image:$revision-gpu ;;
    mlflow) tag=$image-mlflow:$revision ;;
    *) echo "make images: unknown target '$target'; there are cpu, gpu and mlflow." >&2; exit 1 ;;
  esac
  # shellcheck disable=SC2086 # several flags
  docker build ${BUILD_FLAGS:-} --file infra/images/Dockerfile --target "$target" --tag "$tag" \
    --build-arg BASE="$base" --build-arg BUILD_BASE="${BUILD_BASE:-$base}" \
    --build-arg MTCLAR_GIT_SHA="$revision" --build-arg MTCLAR_VERSION="$version" . >"build/images/$target.log" 2>&1 ||
    { tail -n 20 "build/images/$target.log" >&2; echo "make images: $target failed; all of it is in build/images/$target.log." >&2; exit 1; }
  container=$(docker create "$tag")
  docker cp "$container:/usr/share/sbom.json" "build/images/$target.sbom.json" >/dev/null
  docker rm "$container" >/dev/null
  echo "$tag $(docker image inspect --format '{{.Size}}' "$tag" | awk '{printf "%.0f MB", $1 / 1e6}')"
done
