// Package v1beta1 is the API of Weir: the kinds people write, and the status they read.
//
// The types are the specification. Markers give defaults and bounds, CEL rules give the sentences
// a person reads when a manifest is refused, and the CRDs under artifacts/crds are generated from
// them. Fields that Flagger has under the same name mean the same here.
//
// +k8s:deepcopy-gen=package
// +groupName=weir.dev
package v1beta1
