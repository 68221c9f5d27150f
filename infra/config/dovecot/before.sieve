require ["fileinto", "editheader"];
# The worker's proof goes to a folder of its own. The secret keeps others from hiding mail there, so it does not stay in the message.
if header :matches "X-Nastup-Proof" "@PROOF_SECRET@ ?*" { deleteheader "X-Nastup-Proof"; fileinto "Overeni"; stop; }
