"""The pages on which the policy is changed: versions, proposals and their files."""
