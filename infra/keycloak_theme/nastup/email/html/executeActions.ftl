<#-- The activation: who writes, what to do, how long the link works. -->
<#import "template.ftl" as layout>
<@layout.emailLayout>
<h1 style="margin:16px 0;font-size:22px;line-height:1.3">${msg("nastupActivationTitle")}</h1>
<p>${msg("nastupActivationWho")}</p>
<p>${msg("nastupActivationName")} <strong>${(user.username)!""}</strong><br>${msg("nastupActivationAddress")} <strong>${(user.email)!""}</strong></p>
<p>${msg("nastupActivationWhat")}</p>
<ol>
<li>${msg("nastupActivationStep1")}</li>
<li>${msg("nastupActivationStep2")}</li>
<li>${msg("nastupActivationStep3")}</li>
</ol>
<p style="margin:24px 0"><a href="${link}" style="display:inline-block;padding:10px 20px;border-radius:8px;background:#2362a2;color:#ffffff;font-weight:bold;text-decoration:none">${msg("nastupActivationButton")}</a></p>
<p style="font-size:13px;overflow-wrap:anywhere">${link}</p>
<p>${msg("nastupActivationLife", linkExpirationFormatter(linkExpiration))}</p>
<p style="font-size:13px">${msg("nastupActivationStranger")}</p>
</@layout.emailLayout>
