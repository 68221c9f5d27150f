<#ftl output_format="plainText">
${msg("nastupActivationTitle")}

${msg("nastupActivationWho")}

${msg("nastupActivationName")} ${(user.username)!""}
${msg("nastupActivationAddress")} ${(user.email)!""}

${msg("nastupActivationWhat")}

1. ${msg("nastupActivationStep1")}
2. ${msg("nastupActivationStep2")}
3. ${msg("nastupActivationStep3")}

${link}

${msg("nastupActivationLife", linkExpirationFormatter(linkExpiration))}

${msg("nastupActivationStranger")}

--
${msg("nastupMachine")}
