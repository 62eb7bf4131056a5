package reference

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// Flags is the page of a program's flags. The package is that of the program, as in ./cmd/weir.
func Flags(program, pkg string, flags *pflag.FlagSet) string {
	var page strings.Builder
	fmt.Fprintf(&page, "# Flags of %s\n\n", program)
	fmt.Fprintf(&page, "Each can also be set as the environment variable beside it; a flag on the command line wins. This page is "+
		"made of the\nprogram's own flags, by `go test %s -run TestReference -rewrite`.\n\n", pkg)
	page.WriteString(head("flag", "type", "default", "variable", "meaning"))
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" {
			return
		}
		variable := "WEIR_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		page.WriteString(row(code("--"+f.Name), kindOf(f), code(defaultOf(f)), code(variable), cell(f.Usage)))
	})
	return page.String()
}

// kindOf is what a flag takes, in a word.
func kindOf(f *pflag.Flag) string {
	switch kind := f.Value.Type(); kind {
	case "stringSlice":
		return "list, with commas"
	case "bool":
		return "boolean"
	case "int":
		return "integer"
	case "float64":
		return "number"
	default:
		return kind
	}
}

// defaultOf is a flag's default as one would write it; nothing where there is none.
func defaultOf(f *pflag.Flag) string {
	return strings.ReplaceAll(strings.Trim(f.DefValue, "[]"), ",", ", ")
}
