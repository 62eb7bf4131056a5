// Package artifacts holds what is generated to be installed, for programs that need it without a cluster.
package artifacts

import (
	"embed"
	"fmt"
	"path"
)

//go:embed crds/weir.dev_*.yaml
var crds embed.FS

// CRDs are the CustomResourceDefinitions of Weir's kinds, one YAML document each.
func CRDs() ([][]byte, error) {
	const folder = "crds"
	entries, err := crds.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("reading the definitions: %w", err)
	}
	documents := make([][]byte, 0, len(entries))
	for _, entry := range entries {
		document, err := crds.ReadFile(path.Join(folder, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading the definitions: %w", err)
		}
		documents = append(documents, document)
	}
	return documents, nil
}
