#!/usr/bin/env bash
# Regenerates everything that is generated from the types of pkg/apis: deep copies, the clients, and the
# CRDs; and the copies in the charts. The same sources give the same files. Works on the tree that it stands in.
set -euo pipefail
cd "$(dirname "$0")"
header=$PWD/header.txt
export GOBIN=${XDG_CACHE_HOME:-$HOME/.cache}/weir/bin/codegen
go install tool
cd ../../..
module=$(go list -m)
apis=pkg/apis/weir/v1beta1
client=pkg/client
# Clients and CRDs are written aside and moved at the end: the tree is never without them.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
out=$scratch/client crds=$scratch/crds

"$GOBIN/deepcopy-gen" --go-header-file "$header" --output-file zz_generated.deepcopy.go "./$apis"

"$GOBIN/applyconfiguration-gen" --go-header-file "$header" \
  --output-dir "$out/applyconfiguration" --output-pkg "$module/$client/applyconfiguration" \
  --external-applyconfigurations sigs.k8s.io/gateway-api/apis/v1.ParentReference:sigs.k8s.io/gateway-api/applyconfiguration/apis/v1 \
  --external-applyconfigurations sigs.k8s.io/gateway-api/apis/v1.HTTPRouteMatch:sigs.k8s.io/gateway-api/applyconfiguration/apis/v1 \
  "$module/$apis"
"$GOBIN/client-gen" --go-header-file "$header" --clientset-name versioned \
  --input-base "$module/pkg/apis" --input weir/v1beta1 \
  --apply-configuration-package "$module/$client/applyconfiguration" \
  --output-dir "$out/clientset" --output-pkg "$module/$client/clientset"
"$GOBIN/lister-gen" --go-header-file "$header" \
  --output-dir "$out/listers" --output-pkg "$module/$client/listers" "$module/$apis"
"$GOBIN/informer-gen" --go-header-file "$header" \
  --versioned-clientset-package "$module/$client/clientset/versioned" \
  --listers-package "$module/$client/listers" \
  --output-dir "$out/informers" --output-pkg "$module/$client/informers" "$module/$apis"

"$GOBIN/controller-gen" crd:allowDangerousTypes=true,generateEmbeddedObjectMeta=false \
  paths="./$apis" output:crd:artifacts:config="$crds"

rm -rf "$client" artifacts/crds/weir.dev_*.yaml
mv "$out" "$client"
mv "$crds"/*.yaml artifacts/crds/

# A chart can read no file outside of itself, so it has copies: of the CRDs, of the alerts, of the policies, and of the
# rights by the folders of kustomize that they come from.
files=charts/weir/files
rm -rf charts/*/files
mkdir -p "$files/crds" "$files/rights" charts/weir-loadtester/files
cp artifacts/crds/weir.dev_*.yaml "$files/crds/"
cp artifacts/prometheus/rules.yaml kustomize/admission/limits/limits.yaml kustomize/admission/pause.yaml "$files/"
for rights in kustomize/*/rights.yaml; do
  cp "$rights" "$files/rights/$(basename "$(dirname "$rights")").yaml"
done
mv "$files/rights/loadtester.yaml" charts/weir-loadtester/files/rights.yaml
