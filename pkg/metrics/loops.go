package metrics

import "text/template/parse"

// refuse turns down what a template could spend for ever in, for nothing stops one once it runs: loops, and
// templates that call themselves. What is left is one loop over the variables, of which there are few.
func refuse(n parse.Node, looping bool) error {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, child := range n.Nodes {
			if err := refuse(child, looping); err != nil {
				return err
			}
		}
	case *parse.IfNode:
		return refuseBranches(&n.BranchNode, looping)
	case *parse.WithNode:
		return refuseBranches(&n.BranchNode, looping)
	case *parse.RangeNode:
		if looping || !overVariables(n.Pipe) {
			return Rejectedf("a query may range over variables alone, and not within another range")
		}
		return refuseBranches(&n.BranchNode, true)
	case *parse.TemplateNode:
		return Rejectedf("a query may not call templates; write it in one piece")
	}
	return nil
}

func refuseBranches(n *parse.BranchNode, looping bool) error {
	if err := refuse(n.List, looping); err != nil {
		return err
	}
	return refuse(n.ElseList, looping)
}

func overVariables(p *parse.PipeNode) bool {
	if len(p.Cmds) != 1 || len(p.Cmds[0].Args) != 1 {
		return false
	}
	id, ok := p.Cmds[0].Args[0].(*parse.IdentifierNode)
	return ok && id.Ident == "variables"
}
