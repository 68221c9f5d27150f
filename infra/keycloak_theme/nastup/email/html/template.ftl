<#-- Frame of every letter that Keycloak sends. Mail programs take no style sheet, so the little style stands at the elements. -->
<#macro emailLayout>
<!doctype html>
<html lang="${locale.language}" dir="${(ltr)?then('ltr','rtl')}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"></head>
<body style="margin:0;padding:24px 16px;font-family:Roboto,Arial,sans-serif;font-size:16px;line-height:1.5">
<div style="max-width:36rem;margin:0 auto">
<p style="margin:0 0 24px;padding-bottom:12px;border-bottom:3px solid #2362a2"><strong style="font-size:20px">Nástup</strong><br><span style="font-size:13px">${msg("nastupSubtitle")}</span></p>
<#nested>
<p style="margin-top:24px;padding-top:12px;border-top:1px solid #b0b0b0;font-size:13px">${msg("nastupMachine")}</p>
</div>
</body>
</html>
</#macro>
