package annotated

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// People look an annotation up in the docs.
func TestTheDocsHaveEveryAnnotation(t *testing.T) {
	docs, err := os.ReadFile("../../docs/annotations.md")
	require.NoError(t, err)
	for _, k := range knobs() {
		assert.Contains(t, string(docs), "| `"+k.annotation+"` | `"+k.path+"` | ")
	}
	for _, name := range links() {
		assert.Contains(t, string(docs), "| `"+name+"` | annotation of that name | ")
	}
}
