package sandbox

import (
	"context"
	"path/filepath"
)

// KnativeDefinitions are the CRDs of Knative's Services and Revisions. Nothing here does what Knative does by them.
func KnativeDefinitions(ctx context.Context) ([]byte, error) {
	tree, err := Tree(ctx)
	if err != nil {
		return nil, err
	}
	const module, kinds = "knative.dev/serving", "config/core/300-resources/"
	from := filepath.Join(tree, "e2e/tools/knative")
	return readDefinitions(ctx,
		definition{from, module, kinds + "service.yaml"}, definition{from, module, kinds + "revision.yaml"})
}
