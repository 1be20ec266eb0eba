#!/bin/sh
# Removes from an environment what no program of ours opens: packages' own tests and type stubs, C sources and headers,
# debug symbols, OpenCV's own detectors, the part of Arrow that talks to servers, the descriptions of AWS services other
# than S3, ONNX Runtime's library for C programs (the Python module holds a copy of its own), and copies of one file.
#   trim.sh /venv
set -eu
cd "$1"/lib/python3*/site-packages
find . -depth -type d \( -name tests -o -name test \) -exec rm -rf {} +
rm -rf cv2/data pyarrow/include pyarrow/libarrow_flight* pyarrow/_flight*
rm -f onnxruntime/capi/libonnxruntime.so*
# The loader asks for `NAME.so.2500` only; a wheel has no links, so `NAME.so` and `NAME.so.2500.1.0` are whole copies.
find pyarrow -name 'libarrow_python*' ! -regex '.*\.so\.[0-9]+' -delete
find . -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.pyx' -o -name '*.h' -o -name '*.hpp' -o -name '*.c' -o -name '*.cpp' -o -name '*.a' \) -delete
for folder in botocore/data/*/; do
  case $(basename "$folder") in s3|sts|sso|sso-oidc|signin) ;; *) rm -rf "$folder" ;; esac
done
find . -name '*.so*' -type f -size +1M ! -path '*.libs/*' -exec strip --strip-unneeded {} +
