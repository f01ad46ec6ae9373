"""From a change to the target: trees and commits, their proof, and the merges that land on it or are taken back."""
