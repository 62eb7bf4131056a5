package sandbox

import (
	"bytes"
	"context"
	"fmt"
)

// IstioDefinitions are the CRDs of VirtualServices and DestinationRules, out of all of Istio's, in the version of
// Weir's go.mod.
func IstioDefinitions(ctx context.Context) ([]byte, error) {
	tree, err := Tree(ctx)
	if err != nil {
		return nil, err
	}
	const module = "istio.io/api"
	all, err := readDefinitions(ctx, definition{tree, module, "kubernetes/customresourcedefinitions.gen.yaml"})
	if err != nil {
		return nil, err
	}
	var some [][]byte
	names := []string{"virtualservices", "destinationrules"}
	for document := range bytes.SplitSeq(all, []byte("\n---\n")) {
		for _, name := range names {
			if bytes.Contains(document, []byte("\n  name: "+name+".networking.istio.io\n")) {
				some = append(some, document)
			}
		}
	}
	if len(some) != len(names) {
		return nil, fmt.Errorf("finding definitions in %s: %d of %v are there", module, len(some), names)
	}
	return bytes.Join(some, []byte("\n---\n")), nil
}
