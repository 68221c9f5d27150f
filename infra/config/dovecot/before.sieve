require ["fileinto"];
# The worker's proof goes to a folder of its own. The secret keeps others from hiding mail there.
if header :matches "X-Nastup-Proof" "@PROOF_SECRET@ ?*" { fileinto "Overeni"; stop; }
